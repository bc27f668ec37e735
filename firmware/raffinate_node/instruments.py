"""Builds stages and their drivers on the hal's buses and pins, as node.json wires them."""

from raffinate_node.drivers.ads1115 import LoopInput
from raffinate_node.drivers.digital import Contact
from raffinate_node.drivers.ezo import EzoEc, EzoPh
from raffinate_node.drivers.max31865 import Rtd
from raffinate_node.drivers.pulse import PulseFlow
from raffinate_node.drivers.tca9548a import Bus
from raffinate_node.sampler import Point, Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from raffinate_node.settings import Config, PointConfig


class Instruments:
    """All sensors of a node: `stages` in the order of node.json, `flows` by point id.

    `on_bus` has the points whose sensors share a bus, by `i2c 0`, `spi 0` and so on.
    """

    def __init__(self, config: "Config", hal: "Any", up_ms: "Callable[[], int]") -> None:
        self._hal = hal
        self._up_ms = up_ms
        self._scan_ms = config.scan_ms
        self._buses = {
            bus["bus"]: Bus(hal.i2c(bus["bus"]), _multiplexers(config, bus["bus"]))
            for bus in config.i2c
        }
        self.flows: "dict[str, PulseFlow]" = {}
        self.on_bus: "dict[str, list[Point]]" = {}
        self.stages = [self._stage(stage.id, stage.points) for stage in config.stages]

    def begin_scan(self) -> None:
        """Ready every bus for a scan."""
        for bus in self._buses.values():
            bus.begin_scan()

    def _stage(self, stage_id: str, configs: "list[PointConfig]") -> Stage:
        points = [
            Point(config.name, config.unit, config.decimals, config.limits, self._driver(config))
            for config in configs
        ]
        for point, config in zip(points, configs):  # noqa: B905 - MicroPython has no strict=
            temp = _temperature(config.options.get("temp"), points)
            if temp is not None:
                point.temp = temp
            if "bus" in config.options:
                kind = "spi" if config.driver == "max31865" else "i2c"
                name = f"{kind} {config.options['bus']}"
                if name not in self.on_bus:
                    self.on_bus[name] = []
                self.on_bus[name].append(point)
            if config.driver == "pulse":
                self.flows[f"{stage_id}/{config.name}"] = point.driver
        return Stage(stage_id, points)

    def _driver(self, config: "PointConfig") -> "Any":
        options = config.options
        if config.driver == "max31865":
            spi = self._hal.spi(options["bus"], options["cs"])
            return Rtd(spi, options["r0_ohm"], options["rref_ohm"], options["wires"])
        if config.driver == "pulse":
            counter = self._hal.counter(options["pin"])
            return PulseFlow(
                counter, self._up_ms, options["pulses_per_l"], options["window_ms"], self._scan_ms
            )
        if config.driver == "digital":
            return Contact(self._hal.digital_in(options["pin"]), options["invert"])
        place = (self._buses[options["bus"]], options["address"], options["mux"], self._up_ms)
        if config.driver == "ezo-ph":
            return EzoPh(*place)
        if config.driver == "ezo-ec":
            return EzoEc(*place, options["alpha_pct_k"], options["k_per_cm"])
        return LoopInput(
            *place,
            options["channel"],
            options["shunt_ohm"],
            options["low"],
            options["high"],
            options["delay_ms"],
        )


def _multiplexers(config: "Config", bus: int) -> "tuple[int, ...]":
    found: "list[int]" = []
    for stage in config.stages:
        for point in stage.points:
            path = point.options.get("mux")
            if path is not None and point.options["bus"] == bus and path[0] not in found:
                found.append(path[0])
    return tuple(found)


def _temperature(temp: "Any", points: "list[Point]") -> "Any":
    if not isinstance(temp, str):
        return temp
    for point in points:
        if point.name == temp:
            return point
    return None
