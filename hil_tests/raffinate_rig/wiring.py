"""From a node.json to the devices on a board's buses and pins."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from raffinate_rig.devices import (
    Ads1115,
    Atecc608,
    BusError,
    Device,
    DigitalLine,
    EzoEc,
    EzoPh,
    I2cDevice,
    Max31865,
    PulseCounter,
    Tca9548a,
)
from raffinate_rig.devices.base import EINVAL, EIO, ENODEV

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOP_ZERO_MA = 4.0
LOOP_SPAN_MA = 16.0
# NE 43: what a transmitter still gives at the ends of its range
LOOP_MA_MIN, LOOP_MA_MAX = 3.8, 20.5
# A conductivity transmitter compensates by itself: S/m at 25 °C, as set up for hydrochloric acid.
TRANSMITTER_ALPHA_PER_K = 0.0156
MS_CM_PER_S_M = 10.0
SECONDS_PER_HOUR = 3600.0


class WiringError(ValueError):
    """node.json asks for something the rig cannot wire; names the point and the reason."""


class StageReading(Protocol):
    """What the sensors of one stage see; `cond_ms_cm_t` is at the liquor's own temperature.

    Points with other names (a column's `dp_pa`) are read from attributes of those names, counters
    of events (`rad`) from `rad_1_s`.
    """

    @property
    def ph(self) -> float:
        """As the electrode shows it."""

    @property
    def ph_temp_c(self) -> float:
        """Liquor at the electrode, °C."""

    @property
    def cond_ms_cm_t(self) -> float:
        """Conductivity at the liquor's temperature, mS/cm."""

    @property
    def temp_c(self) -> float:
        """Liquor at the PT1000, °C."""

    @property
    def flow_aq_l_h(self) -> float:
        """Aqueous flow, L/h."""

    @property
    def flow_org_l_h(self) -> float:
        """Organic flow, L/h."""

    @property
    def level_frac(self) -> float:
        """Interface height, share of the span."""


@dataclass(slots=True)
class Board:
    """Everything wired to one node, by where it is wired and by the point it measures."""

    i2c: dict[int, dict[int, I2cDevice]] = field(default_factory=dict)
    muxes: dict[int, dict[int, Tca9548a]] = field(default_factory=dict)
    spi: dict[tuple[int, int], Max31865] = field(default_factory=dict)
    counters: dict[int, PulseCounter] = field(default_factory=dict)
    lines: dict[int, DigitalLine] = field(default_factory=dict)
    points: dict[str, Device] = field(default_factory=dict)
    setters: dict[str, list[Callable[[StageReading], None]]] = field(default_factory=dict)
    stuck_buses: set[int] = field(default_factory=set)
    elements: list[tuple[int, Atecc608]] = field(default_factory=list)

    def at(self, bus: int, address: int) -> I2cDevice:
        """The one device that answers at `address` now; raises BusError (ENODEV, EIO)."""
        found: list[I2cDevice] = []
        if address in self.i2c.get(bus, {}):
            found.append(self.i2c[bus][address])
        for mux in self.muxes.get(bus, {}).values():
            found.extend(mux.reached(address))
        if not found:
            raise BusError(ENODEV, f"bus {bus}: nobody at {address}")
        if len(found) > 1:
            raise BusError(EIO, f"bus {bus}: {len(found)} devices at {address} answer at once")
        return found[0]

    def wake(self, bus: int) -> None:
        """An address of zeros holds SDA low for long enough to wake secure elements."""
        for number, element in self.elements:
            if number == bus:
                element.wake()

    def devices(self) -> list[Device]:
        """Every device once."""
        muxes = [mux for by_address in self.muxes.values() for mux in by_address.values()]
        return list(
            {id(d): d for d in [*self.points.values(), *self.lines.values(), *muxes]}.values()
        )

    def line(self, pin: int, *, output: bool) -> DigitalLine:
        """The line at `pin`; raises BusError where there is none or it runs the other way."""
        line = self.lines.get(pin)
        if line is None or line.output != output:
            raise BusError(EINVAL, f"pin {pin} is no {'output' if output else 'input'}")
        return line


def wire(config: Mapping[str, Any], now_ms: Callable[[], float]) -> Board:
    """Create the devices of every stage and of the equipment; raises WiringError."""
    board = Board()
    for stage in config["stages"]:
        for point in stage["points"]:
            name = f"{stage['id']}/{point['name']}"
            try:
                maker = _DRIVERS[point["driver"]]
            except KeyError:
                known = ", ".join(sorted(_DRIVERS))
                raise WiringError(
                    f"{name}: the rig has no device for {point['driver']!r}; it has {known}"
                ) from None
            device, setter = maker(board, name, point, now_ms)
            board.points[name] = device
            board.setters.setdefault(stage["id"], []).append(setter)
    for equipment in config.get("equipment", ()):
        _wire_equipment(board, equipment, now_ms)
    if config.get("element") is not None:
        _wire_element(board, config["element"], now_ms)
    return board


def _wire_element(board: Board, place: Mapping[str, Any], now_ms: Callable[[], float]) -> None:
    # beside the points: its faults are injected as those of the point `element`
    bus, element = int(place["bus"]), Atecc608(now_ms)
    try:
        _put(board.i2c.setdefault(bus, {}), int(place["address"]), element)
    except ValueError as error:
        raise WiringError(f"element: {error}") from None
    board.elements.append((bus, element))
    board.points["element"] = element


def _wire_equipment(
    board: Board, equipment: Mapping[str, Any], now_ms: Callable[[], float]
) -> None:
    for role in ("run", "start", "bypass", "permissive"):
        pin = equipment.get(f"{role}_pin")
        if pin is None:
            continue
        name = f"{equipment['id']}/{role}"
        if pin in board.lines or pin in board.counters:
            raise WiringError(f"{name}: pin {pin} is already in use")
        board.lines[pin] = DigitalLine(
            now_ms,
            name,
            output=role == "permissive",
            latching=bool(equipment.get("latching")),
        )


_Made = tuple[Device, "Callable[[StageReading], None]"]


def _attach_i2c(
    board: Board,
    name: str,
    point: Mapping[str, Any],
    device: I2cDevice,
    now_ms: Callable[[], float],
) -> None:
    bus, address = int(point["bus"]), int(point["address"])
    try:
        if point.get("mux") is None:
            _put(board.i2c.setdefault(bus, {}), address, device)
        else:
            mux_address, channel = point["mux"]
            muxes = board.muxes.setdefault(bus, {})
            if mux_address not in muxes:
                muxes[mux_address] = Tca9548a(now_ms, f"tca9548a-{bus}-{mux_address}")
                board.i2c.setdefault(bus, {})[mux_address] = muxes[mux_address]
            muxes[mux_address].attach(channel, address, device)
    except (ValueError, IndexError) as error:
        raise WiringError(f"{name}: {error}") from None


def _put(taken: dict[int, I2cDevice], address: int, device: I2cDevice) -> None:
    if address in taken:
        raise ValueError(f"address {address} is taken")
    taken[address] = device


def _ezo_ph(
    board: Board, name: str, point: Mapping[str, Any], now_ms: Callable[[], float]
) -> _Made:
    device = EzoPh(now_ms, name)
    _attach_i2c(board, name, point, device, now_ms)

    def set_(reading: StageReading) -> None:
        device.ph, device.temp_c = reading.ph, reading.ph_temp_c

    return device, set_


def _ezo_ec(
    board: Board, name: str, point: Mapping[str, Any], now_ms: Callable[[], float]
) -> _Made:
    device = EzoEc(now_ms, name)
    device.probe_k_per_cm = float(point.get("k_per_cm", 1.0))
    _attach_i2c(board, name, point, device, now_ms)

    def set_(reading: StageReading) -> None:
        device.cond_ms_cm = reading.cond_ms_cm_t

    return device, set_


def _max31865(
    board: Board, name: str, point: Mapping[str, Any], now_ms: Callable[[], float]
) -> _Made:
    where = (int(point["bus"]), int(point["cs"]))
    if where in board.spi:
        raise WiringError(f"{name}: chip select {where[1]} is taken")
    device = Max31865(
        now_ms, name, r0_ohm=float(point["r0_ohm"]), rref_ohm=float(point["rref_ohm"])
    )
    board.spi[where] = device

    def set_(reading: StageReading) -> None:
        device.temp_c = reading.temp_c

    return device, set_


def _pulse(board: Board, name: str, point: Mapping[str, Any], now_ms: Callable[[], float]) -> _Made:
    pin = int(point["pin"])
    if pin in board.counters:
        raise WiringError(f"{name}: pin {pin} is already in use")
    counts = point.get("unit") == "1/s"
    device = PulseCounter(
        now_ms, name, pulses_per_l=1.0 if counts else float(point["pulses_per_l"])
    )
    board.counters[pin] = device
    # Events a second, of one pulse each, or litres an hour.
    attribute = f"{point['name']}_1_s" if counts else f"{point['name']}_l_h"
    factor = SECONDS_PER_HOUR if counts else 1.0

    def set_(reading: StageReading) -> None:
        device.set_flow(factor * float(getattr(reading, attribute)))

    return device, set_


def _ads1115(
    board: Board, name: str, point: Mapping[str, Any], now_ms: Callable[[], float]
) -> _Made:
    bus, address, channel = int(point["bus"]), int(point["address"]), int(point["channel"])
    existing = board.i2c.get(bus, {}).get(address)
    if existing is None:
        existing = Ads1115(now_ms, f"ads1115-{bus}-{address}")
        _attach_i2c(board, name, point, existing, now_ms)
    device = cast("Ads1115", existing)
    device.shunt_ohm[channel] = float(point["shunt_ohm"])
    low, high = float(point["low"]), float(point["high"])
    value = _TRANSMITTERS.get(point["name"]) or operator.attrgetter(point["name"])

    def set_(reading: StageReading) -> None:
        share = (float(value(reading)) - low) / (high - low)
        current_ma = LOOP_ZERO_MA + LOOP_SPAN_MA * share
        device.loop_ma[channel] = min(max(current_ma, LOOP_MA_MIN), LOOP_MA_MAX)

    return device, set_


def _cond_s_m_25(reading: StageReading) -> float:
    factor = 1.0 + TRANSMITTER_ALPHA_PER_K * (reading.temp_c - 25.0)
    return reading.cond_ms_cm_t / MS_CM_PER_S_M / factor


# What a 4-20 mA transmitter makes of a reading, by the point it serves; others show it as it is.
_TRANSMITTERS: dict[str, Callable[[StageReading], float]] = {
    "level": operator.attrgetter("level_frac"),
    "dp": operator.attrgetter("dp_pa"),
    "cond": _cond_s_m_25,
}


def _digital(
    board: Board, name: str, point: Mapping[str, Any], now_ms: Callable[[], float]
) -> _Made:
    pin = int(point["pin"])
    if pin in board.lines:
        raise WiringError(f"{name}: pin {pin} is already in use")
    device = DigitalLine(now_ms, name)
    board.lines[pin] = device

    def set_(reading: StageReading) -> None:
        device.set_level(int(getattr(reading, "running", 1)))

    return device, set_


_DRIVERS: dict[str, Callable[[Board, str, Mapping[str, Any], Callable[[], float]], _Made]] = {
    "ezo-ph": _ezo_ph,
    "ezo-ec": _ezo_ec,
    "max31865": _max31865,
    "pulse": _pulse,
    "ads1115": _ads1115,
    "digital": _digital,
}
