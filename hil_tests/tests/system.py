"""A whole site under test: plant folder, gateway process, broker and nodes, by public means alone.

The folder is made with the `raffinate` command; the gateway is read through its HTTP API; what it
has kept is read with `raffinate export` and `raffinate audit export`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
import threading
import tomllib
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from click.testing import CliRunner

from raffinate.cli import main
from raffinate_rig.bus import Bus
from raffinate_rig.deploy import deploy
from raffinate_rig.node_process import NodeProcess
from raffinate_rig.processes import HOST, Program, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SITE = "ndpr"
ORIGIN = f"demo.invalid/raffinate/{SITE}"
POINTS = ("temp", "flow_aq", "flow_org", "level")
SERIAL = "DW-MS6-0001"
COMMAND_S = 120.0
# What a stage has; and points without slow conversions, so that a node may scan every 250 ms.
KITS = """
[kits.mixer-settler]
ph = { driver = "ezo-ph", unit = "pH", range = [-1.0, 14.0], temp = "temp" }
cond = { driver = "ezo-ec", unit = "S/m", range = [0.0, 100.0], temp = "temp", alpha_pct_k = 1.56 }
temp = { driver = "max31865", unit = "Cel", range = [0.0, 80.0] }
flow_aq = { driver = "pulse", unit = "l/s", range = [0.0, 0.1], pulses_per_l = 8000.0 }
flow_org = { driver = "pulse", unit = "l/s", range = [0.0, 0.1], pulses_per_l = 8000.0 }
level = { driver = "ads1115", unit = "/", range = [0.0, 1.0], low = 0.0, high = 1.0 }
[kits.fast]
temp = { driver = "max31865", unit = "Cel", range = [0.0, 80.0] }
flow_aq = { driver = "pulse", unit = "l/s", range = [0.0, 0.1], pulses_per_l = 8000.0 }
flow_org = { driver = "pulse", unit = "l/s", range = [0.0, 0.1], pulses_per_l = 8000.0 }
level = { driver = "ads1115", unit = "/", range = [0.0, 1.0], low = 0.0, high = 1.0 }
"""
LICENCE = f"""number = "TEST-1"
issuer = "Testing authority"
equipment = "{SERIAL}"
stages = ["STAGE"]
from = 2020-01-01T00:00:00Z
to = 2090-01-01T00:00:00Z
grace_s = 600
"""


@dataclass(frozen=True)
class NodeSpec:
    """A node of the plant under test; `outbox` has limits that differ from the defaults."""

    id: str
    stages: tuple[str, ...]
    equipment: str | None = None
    scan_ms: int = 250
    statement_s: int = 2
    outbox: dict[str, int] = field(default_factory=dict)
    kit: str = "fast"
    element: bool = False


class Row(NamedTuple):
    """One line of `raffinate export`."""

    time_ms: int
    point: str
    value: float | None
    quality: str


class Site:
    """The plant folder; `make` writes it as a person would, with `raffinate` and an editor."""

    def __init__(self, folder: Path, broker_port: int, nodes: Sequence[NodeSpec], **storage: int):
        self.folder = folder
        self.broker_port = broker_port
        self.nodes = {node.id: node for node in nodes}
        self.storage = storage
        self.port = free_port()
        # more tables of plant.toml, as text
        self.extra = ""
        self._bundles = 0
        # what stands before a command that must see the gateway's own file systems
        self.wrap: tuple[str, ...] = ()
        self.plant = folder / "plant.toml"

    def make(self) -> Site:
        raffinate("init", self.folder, "--port", self.port, "--broker-port", self.broker_port)
        self.plant.write_text(self._plant_text(), "utf-8")
        for node in self.nodes.values():
            if node.equipment is not None:
                self._licence(node)
        raffinate("check", "--plant", self.plant)
        raffinate("keys", "init", "--origin", ORIGIN, "--plant", self.plant)
        return self

    def flash(self, node: str) -> Path:
        """The node's flash folder with its node.json."""
        folder = self.folder / "nodes" / node
        if not (folder / "node.json").exists():
            folder.mkdir(parents=True)
            output = folder / "node.json"
            raffinate("node", "config", node, "--plant", self.plant, "--output", output)
        return folder

    def enrol(self, node: str, code: str, *, alone: bool = False) -> None:
        self._run("node", "enrol", node, code, "--plant", self.plant, "--wait", 60, alone=alone)

    @property
    def public(self) -> dict[str, Any]:
        """The public keys as `keys init` wrote them."""
        return json.loads((self.folder / "keys" / "public.json").read_text())

    def rows(self) -> list[Row]:
        """Everything in the archive, as `raffinate export` writes it."""
        period = ("--from", "2000-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")
        text = self._run("export", *period, "--plant", self.plant).stdout
        found = csv.DictReader(io.StringIO(text))
        return [
            Row(
                _time_ms(line["time"]),
                line["point"],
                float(line["value"]) if line["value"] else None,
                line["quality"],
            )
            for line in found
        ]

    def bundle(self) -> Path:
        """An audit bundle of the site as it is now."""
        self._bundles += 1
        target = self.folder / f"bundle-{self._bundles}"
        self._run("audit", "export", target, "--plant", self.plant)
        return target

    def verify(self, bundle: Path) -> dict[str, Any]:
        """The offline verifier's result under the auditor's own policy."""
        policy = self.folder / "policy.toml"
        policy.write_text(self._policy_text(), "utf-8")
        result = bundle.with_suffix(".json")
        options = ("--policy", policy, "--json", result, "--processes", 1)
        done = raffinate("audit", "verify", bundle, *options, check=False)
        if done.returncode not in (0, 3, 4):
            raise AssertionError(f"audit verify: {done.returncode}\n{done.stderr}")
        return json.loads(result.read_text("utf-8"))

    def _run(self, *words: object, alone: bool = False) -> Done:
        return raffinate(*words, wrap=self.wrap, alone=alone)

    def _plant_text(self) -> str:
        limits = {"disk_free_bytes_min": 0} | self.storage
        parts = [
            f'v = 1\n[site]\nid = "{SITE}"\nname = "Fault tests"\n',
            f'[listen]\nhost = "{HOST}"\nport = {self.port}\n',
            f'[broker]\nhost = "{HOST}"\nport = {self.broker_port}\nkeepalive_s = 5\n',
            "[storage]\n" + "".join(f"{name} = {value}\n" for name, value in limits.items()),
            KITS,
        ]
        for node in self.nodes.values():
            parts.append(
                f"[nodes.{node.id}]\nscan_ms = {node.scan_ms}\nstatement_s = {node.statement_s}\n"
            )
            if node.element:
                parts.append("element = {}\n")
            if node.outbox:
                limits_text = ", ".join(f"{name} = {value}" for name, value in node.outbox.items())
                parts.append(f"outbox = {{ {limits_text} }}\n")
        stages = ", ".join(
            f'{{ id = "{stage}", node = "{node.id}", kit = "{node.kit}" }}'
            for node in self.nodes.values()
            for stage in node.stages
        )
        parts.append(
            '[[sections]]\nid = "extraction"\nkind = "extraction"\nname = "Extraction"\n'
            f'kit = "fast"\nstages = [{stages}]\n'
        )
        parts += [
            f'[[equipment]]\nid = "{node.equipment}"\nnode = "{node.id}"\n'
            f'volume = "{node.stages[0]}/flow_aq"\npins = {{ bypass = -1 }}\n'
            for node in self.nodes.values()
            if node.equipment is not None
        ]
        return "".join([*parts, self.extra])

    def _licence(self, node: NodeSpec) -> None:
        descriptor = self.folder / "equipment" / f"{node.equipment}.toml"
        stages = ", ".join(f'"{stage}"' for stage in node.stages)
        descriptor.write_text(
            f'v = 1\nid = "{node.equipment}"\nname = "Battery"\nmaker = "Demonstration Works"\n'
            f'model = "MS"\nserial = "{SERIAL}"\nstages = [{stages}]\n'
        )
        licence = LICENCE.replace('"STAGE"', stages)
        (self.folder / "licences" / f"{node.equipment}.toml").write_text(licence)

    def _policy_text(self) -> str:
        public = self.public
        licences = sorted((self.folder / "licences").glob("*.toml"))
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in licences]
        serials = [SERIAL] if digests else []
        return (
            f"v = 1\n[log]\norigin = {json.dumps(ORIGIN)}\nkeys = {json.dumps(public['log'])}\n"
            f"[authority]\nkey = {json.dumps(public['keys']['authority'])}\n"
            f"[licences]\nsha256 = {json.dumps(digests)}\n"
            f"[equipment]\nserials = {json.dumps(serials)}\n"
        )


class Gateway:
    """`raffinate gateway` as a process; `kill` is kill -9."""

    def __init__(self, site: Site, *, wrap: Iterable[str] = ()) -> None:
        self.site = site
        self.log = site.folder / "gateway.log"
        self._wrap = tuple(wrap)
        self._program: Program | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.pid

    @property
    def running(self) -> bool:
        return self._program is not None and self._program.running

    @property
    def exit_code(self) -> int | None:
        return self._program.exit_code if self._program is not None else None

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "raffinate", "gateway", "--plant", self.site.plant]
        self._program = Program([*self._wrap, *command], self.log, cwd=self.site.folder)
        if wait:
            self._program.wait_ready(self.answers, COMMAND_S)

    def kill(self) -> None:
        if self._program is not None:
            self._program.kill()

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()

    def answers(self) -> bool:
        try:
            return self.get("healthz") is not None
        except OSError:
            return False

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{HOST}:{self.site.port}/{path}", timeout=10) as page:
            return page.read().decode()

    def get(self, path: str) -> Any:
        return json.loads(self.text(path))

    @property
    def health(self) -> dict[str, Any]:
        return self.get("api/v1/health")

    @property
    def evidence(self) -> dict[str, Any]:
        return self.get("api/v1/evidence")

    def node_health(self, node: str) -> dict[str, Any]:
        return next(item for item in self.health["nodes"] if item["node"] == node)

    def node_evidence(self, node: str) -> dict[str, Any]:
        return next(item for item in self.evidence["nodes"] if item["node"] == node)

    def metric(self, name: str) -> float:
        """A Prometheus sample by name and labels; by its name alone the sum of all its labels."""
        lines = self.text("metrics").splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{"))
            or (line.startswith(name) and name.endswith("}"))
        )


@dataclass(frozen=True)
class Reading:
    """What the sensors of one stage see."""

    temp_c: float = 25.0
    flow_aq_l_h: float = 22.0
    flow_org_l_h: float = 50.0
    level_frac: float = 0.5
    ph: float = 1.85
    ph_temp_c: float = 25.0
    cond_ms_cm_t: float = 96.0


class RealNode:
    """A node of real MicroPython with its bus; enrolled with the code its console shows."""

    def __init__(
        self, site: Site, name: str, firmware: Path, *, speed: int = 1, **process: Any
    ) -> None:
        self.site, self.name = site, name
        flash = site.flash(name)
        self.config = json.loads((flash / "node.json").read_text())
        self.bus = Bus(self.config, speed=speed)
        place = {"firmware": firmware, "flash": flash, "bus": self.bus.address}
        self.process = NodeProcess(name, **place, speed=speed, **process)
        for number, stage in enumerate(self.bus.stages):
            self.bus.set_reading(stage, Reading(temp_c=25.0 + number, level_frac=0.3 + number / 10))
        self.set_running()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        self.bus.close()

    def set_running(self, level: int = 1) -> None:
        """Let the run contact of its equipment say so."""
        for equipment in self.config["equipment"]:
            self.bus.set_input(equipment["run_pin"], level)

    def start(self, cause: str = "power-on") -> None:
        self.process.start(cause)
        self.process.wait_for("ready")

    def enrol(self) -> None:
        code = self.process.wait_for("enrol-code").text
        self.site.enrol(self.name, code)


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def raffinate(
    *words: object, check: bool = True, wrap: Sequence[str] = (), alone: bool = False
) -> Done:
    """Run a `raffinate` command: in this process, since a new one takes a second to import it.

    With `wrap`, or `alone` for a thread beside the tests: in a process of its own.
    """
    texts = [str(word) for word in words]
    if wrap or alone:
        command = [*wrap, sys.executable, "-m", "raffinate", *texts]
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        done = Done(process.returncode, process.stdout, process.stderr)
    else:
        # it takes over sys.stdout, which belongs to the tests' own thread
        assert threading.current_thread() is threading.main_thread()
        result = CliRunner().invoke(main, texts, prog_name="raffinate")
        done = Done(result.exit_code, result.stdout, result.stderr)
    if check and done.returncode:
        raise AssertionError(
            f"raffinate {' '.join(texts)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


def until(condition: Any, what: str, timeout_s: float = 60.0) -> None:
    """wait_until under a name of its own, so that a gateway that is just away counts as no."""

    def holds() -> bool:
        try:
            return bool(condition())
        except (OSError, ValueError):
            return False

    wait_until(holds, what, timeout_s)


def firmware_of(cache: Path) -> Path:
    """The compiled firmware."""
    return deploy(cache)


def entries_in(bundle: Path) -> Iterator[tuple[int, bytes]]:
    """(index, bytes) of every entry in a bundle's log."""
    folder = bundle / "log" / "tile" / "entries"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    index = 0
    for path in sorted(files, key=lambda path: _tile_number(path.relative_to(folder).as_posix())):
        data, at = path.read_bytes(), 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            yield index, data[at + 2 : at + 2 + length]
            at, index = at + 2 + length, index + 1


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def _tile_number(name: str) -> int:
    """tlog-tiles: x001/x234/067 or x001/x234/067.p/8."""
    digits = name.partition(".p/")[0].replace("x", "").replace("/", "")
    return int(digits)


def _time_ms(text: str) -> int:
    from datetime import datetime  # noqa: PLC0415

    found = datetime.fromisoformat(text)
    return round(found.timestamp() * 1000)
