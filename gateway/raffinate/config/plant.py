"""From the tables of plant.toml to the Plant: kits applied, wiring computed, everything checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.config.drivers import (
    COUNTS,
    DRIVERS,
    EQUIPMENT_PINS,
    EZO,
    equipment_pins,
    occupies,
    scan_ms_min,
    wiring,
)
from raffinate.model import Equipment, Node, Plant, Point, Section, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from raffinate.config.problems import Document
    from raffinate.config.schema import (
        DescriptorFile,
        EquipmentTable,
        PlantFile,
        PointTable,
        SectionTable,
        StageTable,
    )
    from raffinate.toml_lines import KeyPath

STAGES_PER_NODE_MAX = 32
VALUES_PER_SCAN_MAX = 512
EQUIPMENT_PER_NODE_MAX = 4
# A secure element is woken by an address of zeros, which has to take 60 us.
ELEMENT_HZ_MAX = 100_000
RESERVED_NODES = ("gateway", "authority")
_COMMON_KEYS = ("driver", "unit", "range", "normal")
_ANYWHERE = (-1e9, 1e9)


def build_plant(
    document: Document,
    tables: PlantFile,
    descriptors: Mapping[str, DescriptorFile],
    folder: Path,
) -> Plant:
    """The plant; problems are noted in `document`, and where there are any the plant is partial."""
    builder = _Builder(document, tables)
    sections = builder.sections()
    builder.check_nodes()
    equipment = builder.equipment(descriptors, folder)
    builder.check_calibration()
    nodes = {
        name: Node(
            id=name,
            board=table.board,
            stages=tuple(builder.node_stages.get(name, ())),
            scan_ms=table.scan_ms,
            statement_s=table.statement_s,
        )
        for name, table in tables.nodes.items()
    }
    return Plant(
        site=tables.site.id,
        name=tables.site.name,
        note=tables.site.note,
        sections=sections,
        nodes=nodes,
        equipment=equipment,
        stages=builder.stages,
        points={point.id: point for stage in builder.stages.values() for point in stage.points},
    )


class _Builder:
    def __init__(self, document: Document, tables: PlantFile) -> None:
        self._document = document
        self._tables = tables
        self._taken: dict[tuple[str, tuple[object, ...]], str] = {}
        self._metered: dict[str, int] = {}
        self.stages: dict[str, Stage] = {}
        self.node_stages: dict[str, list[str]] = {}

    def sections(self) -> tuple[Section, ...]:
        sections: list[Section] = []
        for index, table in enumerate(self._tables.sections):
            path: KeyPath = ("sections", index)
            if table.id in {section.id for section in sections}:
                self._problem((*path, "id"), f"is {table.id!r} a second time; names are unique")
            self._kit((*path, "kit"), table.kit)
            stages = []
            for place, stage in enumerate(table.stages):
                stages.append(self._stage((*path, "stages", place), table, stage))
            sections.append(Section(table.id, table.kind, table.name, tuple(stages)))
        return tuple(sections)

    def check_nodes(self) -> None:
        for name in self._tables.nodes:
            path = ("nodes", name)
            stages = self.node_stages.get(name, [])
            if name in RESERVED_NODES:
                self._problem(path, "is a reserved name; choose another")
            if len(stages) > STAGES_PER_NODE_MAX:
                self._problem(
                    path, f"serves {len(stages)} stages; {STAGES_PER_NODE_MAX} at most: add a node"
                )
            if not stages:
                self._problem(path, "serves no stage; give it one or remove it")
            points = sum(len(self.stages[stage].points) for stage in stages)
            if points > VALUES_PER_SCAN_MAX:
                self._problem(
                    path, f"has {points} points; {VALUES_PER_SCAN_MAX} at most: add a node"
                )
            self._check_buses(name, stages)

    def _check_buses(self, name: str, stages: list[str]) -> None:
        """Every bus a point uses is there, and the scan is long enough for the EZO circuits."""
        table = self._tables.nodes[name]
        unix = table.board == "unix"
        known = {
            "i2c": {bus.bus for bus in table.i2c} or ({0} if unix else set()),
            "spi": {bus.bus for bus in table.spi} or ({0} if unix else set()),
        }
        circuits = 0
        for stage in stages:
            for point in self.stages[stage].points:
                wires = point.driver
                circuits += wires["driver"] in EZO
                kind = "spi" if wires["driver"] == "max31865" else "i2c"
                if "bus" in wires and wires["bus"] not in known[kind]:
                    self._problem(
                        ("nodes", name, kind),
                        f"has no bus {wires['bus']}, which {point.id} uses; add it",
                    )
        element = table.element
        if element is not None and element.bus not in known["i2c"]:
            self._problem(
                ("nodes", name, "element", "bus"), f"is {element.bus}; add that bus to i2c"
            )
        elif element is not None and any(
            bus.bus == element.bus and bus.hz > ELEMENT_HZ_MAX for bus in table.i2c
        ):
            self._problem(
                ("nodes", name, "element", "bus"),
                f"is {element.bus}, which is too fast to wake an element; "
                f"its hz is {ELEMENT_HZ_MAX} at most",
            )
        needed_ms = scan_ms_min(circuits)
        if table.scan_ms < needed_ms:
            self._problem(
                ("nodes", name, "scan_ms"),
                f"is {table.scan_ms}; {circuits} EZO circuits need {needed_ms} or more",
            )

    def equipment(
        self, descriptors: Mapping[str, DescriptorFile], folder: Path
    ) -> dict[str, Equipment]:
        machines: dict[str, Equipment] = {}
        for index, table in enumerate(self._tables.equipment):
            path: KeyPath = ("equipment", index)
            if table.id in machines:
                self._problem((*path, "id"), f"is {table.id!r} a second time; names are unique")
            descriptor = descriptors.get(table.id)
            if descriptor is None:
                continue
            file = folder / "equipment" / f"{table.id}.toml"
            if descriptor.id != table.id:
                self._problem((*path, "id"), f"is {table.id!r}, but {file} says {descriptor.id!r}")
            for stage in descriptor.stages:
                if stage not in self.stages:
                    self._problem(
                        (*path, "id"), f"{table.id}: {file} names the unknown stage {stage!r}"
                    )
            self._check_sections(path, file, descriptor)
            self._check_volume(path, table)
            if descriptor.volume not in (None, table.volume):
                self._problem(
                    (*path, "volume"), f"is {table.volume!r}, but {file} says {descriptor.volume!r}"
                )
            machines[table.id] = Equipment(
                id=table.id,
                name=descriptor.name,
                maker=descriptor.maker,
                model=descriptor.model,
                serial=descriptor.serial,
                node=table.node,
                stages=tuple(descriptor.stages),
                volume=table.volume,
                descriptor=file,
                pins=self._pins(path, table),
                latching=table.latching,
            )
        return machines

    def _check_sections(self, path: KeyPath, file: Path, descriptor: DescriptorFile) -> None:
        """The kinds of section that a descriptor names are those that its stages are in."""
        if descriptor.sections is None:
            return
        kinds = {
            section.kind
            for section in self._tables.sections
            if any(stage.id in descriptor.stages for stage in section.stages)
        }
        if set(descriptor.sections) != kinds:
            self._problem(
                (*path, "id"),
                f"{descriptor.id}: {file} has sections {descriptor.sections}; its stages are in "
                f"{sorted(kinds)}: mend one of the two",
            )

    def check_calibration(self) -> None:
        for name in self._tables.calibration:
            stage = self.stages.get(name.partition("/")[0])
            if stage is None or name not in {point.id for point in stage.points}:
                self._problem(("calibration", name), "is no point of this plant; mend its name")

    def _stage(self, path: KeyPath, section: SectionTable, table: StageTable) -> Stage:
        if table.id in self.stages:
            self._problem((*path, "id"), f"is {table.id!r} a second time; names are unique")
        if table.node not in self._tables.nodes:
            self._problem((*path, "node"), f"is {table.node!r}; add [nodes.{table.node}]")
        served = self.node_stages.setdefault(table.node, [])
        place = len(served)
        served.append(table.id)
        kit = self._kit((*path, "kit"), table.kit or section.kit)
        for name in table.normal:
            if name not in kit and name not in table.points:
                self._problem((*path, "normal", name), "is no point of this stage; remove it")
        points = []
        for name in (*kit, *(name for name in table.points if name not in kit)):
            point = self._point(path, place, section, table, name)
            if point is not None:
                points.append(point)
        names = {point.name for point in points}
        for point in points:
            temp = point.driver.get("temp")
            if isinstance(temp, str) and temp not in names:
                self._problem(
                    (*path, "points", point.name),
                    f"is compensated by {temp!r}, which this stage does not have",
                )
        stage = Stage(table.id, section.id, table.node, tuple(points))
        self.stages[table.id] = stage
        return stage

    def _point(
        self, path: KeyPath, place: int, section: SectionTable, table: StageTable, name: str
    ) -> Point | None:
        kit = self._kit(path, table.kit or section.kit)
        own = table.points.get(name)
        where = (*path, "points", name) if own else ("kits", table.kit or section.kit, name)
        spec: dict[str, object] = {}
        for source in (kit.get(name), own):
            if source is not None:
                spec |= source.model_dump(exclude_none=True)
        driver_name = str(spec.get("driver"))
        if not self._check_spec(where, driver_name, spec):
            return None
        driver = DRIVERS[driver_name]
        given = {key: value for key, value in spec.items() if key in driver.keys}
        self._check_board(path, where, table.node, driver.board_keys, given)
        wires = {"driver": driver_name, **wiring(driver_name, name, place), **given}
        self._occupy(where, table, name, wires)
        normal = table.normal.get(name) or section.normal.get(name) or spec.get("normal")
        band = self._band(where, "range", spec.get("range"))
        if band is None:
            self._problem((*where, "range"), "is missing; write range = [low, high]")
        usual = self._band((*path, "normal", name), "", normal)
        low, high = band or _ANYWHERE
        if usual and not low <= usual[0] <= usual[1] <= high:
            self._problem((*path, "normal", name), f"is outside the range {[low, high]}")
        return Point(
            id=f"{table.id}/{name}",
            stage=table.id,
            name=name,
            unit=str(spec.get("unit")),
            range=band or _ANYWHERE,
            normal=usual,
            driver=wires,
        )

    def _check_spec(self, where: KeyPath, name: str, spec: Mapping[str, object]) -> bool:
        """Note what is wrong with a point's keys; False when its driver is unknown."""
        driver = DRIVERS.get(name)
        if driver is None:
            self._problem(
                (*where, "driver"), f"is {spec.get('driver')!r}; write one of {', '.join(DRIVERS)}"
            )
            return False
        if spec.get("unit") not in driver.units:
            self._problem(
                (*where, "unit"),
                f"is {spec.get('unit')!r}; {name} measures in {', '.join(driver.units)}",
            )
        for key in spec:
            if key not in driver.keys and key not in _COMMON_KEYS:
                self._problem(
                    (*where, key),
                    f"has no meaning for {name}; its keys are {', '.join(driver.keys)}",
                )
        counts = name == "pulse" and spec.get("unit") == COUNTS
        for key in driver.required:
            if counts and key in spec:
                self._problem((*where, key), f"has no meaning for events in {COUNTS}; remove it")
            elif key not in spec and not counts:
                self._problem((*where, key), f"is missing; {name} needs it")
        return True

    def _check_board(
        self,
        path: KeyPath,
        where: KeyPath,
        node: str,
        keys: tuple[str, ...],
        given: Mapping[str, object],
    ) -> None:
        table = self._tables.nodes.get(node)
        if table is None or table.board == "unix":
            return
        for key in keys:
            if key not in given:
                self._problem(
                    (*path, "points", str(where[-1]), key),
                    f"is missing; the board of {node} ({table.board}) needs its own pins named",
                )

    def _occupy(
        self, where: KeyPath, table: StageTable, name: str, wires: Mapping[str, object]
    ) -> None:
        place = occupies(str(wires["driver"]), wires)
        other = self._taken.setdefault((table.node, place), f"{table.id}/{name}")
        if other != f"{table.id}/{name}":
            spot = " ".join(str(part) for part in place)
            self._problem(
                where,
                f"of {table.id} is wired to {spot}, where {other} is; give it a place of its own",
            )

    def _kit(self, path: KeyPath, name: str) -> Mapping[str, PointTable]:
        kit = self._tables.kits.get(name)
        if kit is None:
            self._problem(path, f"is {name!r}; kits are {', '.join(self._tables.kits)}")
            return {}
        return kit

    def _band(self, path: KeyPath, key: str, value: object) -> tuple[float, float] | None:
        if not isinstance(value, list):
            return None
        low, high = float(value[0]), float(value[1])
        if not -1e9 <= low < high <= 1e9:  # noqa: PLR2004 - NaN and infinity fail too
            where = (*path, key) if key else path
            self._problem(where, f"is {value}; write [low, high] with low below high")
            return None
        return low, high

    def _check_volume(self, path: KeyPath, table: EquipmentTable) -> None:
        if table.node not in self._tables.nodes:
            self._problem((*path, "node"), f"is {table.node!r}; add [nodes.{table.node}]")
        self._metered[table.node] = self._metered.get(table.node, 0) + 1
        if self._metered[table.node] == EQUIPMENT_PER_NODE_MAX + 1:
            self._problem(
                (*path, "node"),
                f"{table.node} meters more than {EQUIPMENT_PER_NODE_MAX} machines; use another",
            )
        if table.volume is None:
            return
        stage = self.stages.get(table.volume.partition("/")[0])
        points = {point.id: point for point in stage.points} if stage else {}
        if table.volume not in points:
            self._problem(
                (*path, "volume"), f"is {table.volume!r}, which is no point of this plant"
            )
        elif points[table.volume].driver["driver"] != "pulse":
            self._problem((*path, "volume"), "is no pulse counter; volume comes from a flow point")
        elif points[table.volume].unit == COUNTS:
            self._problem((*path, "volume"), "counts events; volume comes from a flow point")
        elif stage is not None and stage.node != table.node:
            self._problem(
                (*path, "volume"),
                f"is measured by {stage.node}, not by {table.node}; choose its own",
            )

    def _pins(self, path: KeyPath, table: EquipmentTable) -> dict[str, int | None]:
        board = self._tables.nodes[table.node].board if table.node in self._tables.nodes else "unix"
        default: dict[str, int | None] = dict.fromkeys(EQUIPMENT_PINS)
        if board == "unix":
            default.update(equipment_pins(self._metered[table.node] - 1))
        given = table.pins.model_dump(exclude_none=True)
        pins = default | {name: None if pin < 0 else pin for name, pin in given.items()}
        for name in ("run", "permissive"):
            if pins[name] is None:
                self._problem(
                    (*path, "pins", name),
                    f"is missing; the board of {table.node} ({board}) needs it",
                )
        for name, pin in pins.items():
            if pin is None:
                continue
            other = self._taken.setdefault((table.node, ("pin", pin)), f"{table.id} {name}")
            if other != f"{table.id} {name}":
                self._problem((*path, "pins", name), f"is {pin}, where {other} is; choose another")
        return pins

    def _problem(self, path: KeyPath, message: str) -> None:
        self._document.problem(path, message)
