"""The twin in motion: it steps the plant, feeds every bus and plays the batteries' contactors."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from raffinate_rig.devices import EzoPh

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from raffinate_rig.actions import Action
    from raffinate_rig.bus import Bus
    from raffinate_rig.twin import Plant
    from raffinate_rig.wiring import StageReading

STATE_VERSION = 1
PERIOD_S = 0.5
PERIOD_HOST_S_MIN = 0.05
# After a suspended laptop the plant goes on where it was instead of racing through the night.
STEP_S_MAX = 60.0
SAVE_EVERY_S = 5.0
PRESS_S = 5.0
EVENTS_MAX = 1000
ACTIONS_MAX = 1000


class PlantStateError(ValueError):
    """The saved plant cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PlantEvent:
    """Something the plant did, at `time_s` after the runner's start."""

    time_s: float
    text: str


@dataclass(slots=True)
class Contactor:
    """A battery's start circuit: the button in series with the node's permissive contact.

    `press_until_s` holds the button; a bridge shorts the permissive contact.
    """

    equipment: str
    battery: str
    bus: Bus
    pins: Mapping[str, int | None]
    bridged: bool = False
    press_until_s: float | None = None
    waiting: bool = False

    def permitted(self) -> bool:
        """Whether the node closes its permissive contact; true where none is wired."""
        pin = self.pins["permissive"]
        return pin is None or self.bus.output(pin) == 1

    def show(self, role: str, level: bool) -> None:
        """Drive an input of the node, where it is wired."""
        pin = self.pins[role]
        if pin is not None:
            self.bus.set_input(pin, int(level))


class PlantRunner:
    """Steps `plant` with host time times `speed` in a thread of its own.

    `batteries` maps equipment of the nodes' node.json to sections of the twin. `state` is where
    the plant and its batteries are saved, whole, every five seconds and at the end.
    """

    def __init__(
        self,
        plant: Plant,
        buses: Mapping[str, Bus],
        *,
        batteries: Mapping[str, str] | None = None,
        speed: float = 1,
        actions: Sequence[Action] = (),
        state: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plant = plant
        self.buses = buses
        self.speed = speed
        self.contactors = _contactors(buses, batteries or {})
        self.events: deque[PlantEvent] = deque(maxlen=EVENTS_MAX)
        self._actions = sorted(actions, key=lambda action: action.at_s)
        self._state = state
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._time_s = 0.0
        self._saved_s = 0.0
        self.failure: BaseException | None = None
        self._calibrate()
        self._feed()
        # A node that starts before the first tick reads its contacts as they are.
        for contactor in self.contactors.values():
            self._contact(contactor)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def time_s(self) -> float:
        """Plant seconds since the start."""
        return self._time_s

    def start(self) -> None:
        """Begin to run."""
        self._thread = threading.Thread(target=self._run, name="plant", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and save; safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._save()

    def do(self, action: Action) -> None:
        """Add an action; one whose time is gone happens at the next tick."""
        with self._lock:
            if len(self._actions) >= ACTIONS_MAX:
                raise ValueError(f"{ACTIONS_MAX} actions are waiting already")
            self._actions.append(action)
            self._actions.sort(key=lambda entry: entry.at_s)

    def take_events(self) -> list[PlantEvent]:
        """What happened since the last call."""
        taken = []
        while self.events:
            taken.append(self.events.popleft())
        return taken

    def tick(self, elapsed_s: float) -> None:
        """Move the plant on by `elapsed_s` of its own time: actions, physics, sensors, contacts."""
        with self._lock:
            self._time_s += elapsed_s
            while self._actions and self._actions[0].at_s <= self._time_s:
                self._carry_out(self._actions.pop(0))
            self.plant.step(elapsed_s)
            self._feed()
            for contactor in self.contactors.values():
                self._contact(contactor)

    def _run(self) -> None:
        last = self._monotonic()
        try:
            while not self._stop.wait(max(PERIOD_S / self.speed, PERIOD_HOST_S_MIN)):
                now = self._monotonic()
                self.tick(min((now - last) * self.speed, STEP_S_MAX))
                last = now
                if self._time_s - self._saved_s >= SAVE_EVERY_S * self.speed:
                    self._save()
        except Exception as error:  # noqa: BLE001 - shown by the rig that owns this thread
            self.failure = error
            self._say(f"the plant stopped: {error}")

    def _carry_out(self, action: Action) -> None:
        if action.kind == "fault":
            self.plant.inject(action.target, stage=action.stage)
            self._say(f"fault {action.target} begins")
            return
        if action.kind == "clear":
            self.plant.clear(action.target)
            self._say(f"fault {action.target} ends")
            return
        contactor = self.contactors.get(action.target)
        if contactor is None:
            self._say(f"{action}: no equipment of the nodes is this battery")
        elif action.kind == "stop":
            contactor.press_until_s, contactor.waiting = None, False
            self.plant.stop(action.target)
            self._say(f"{action.target} stopped")
        elif action.kind == "start":
            contactor.press_until_s = self._time_s + PRESS_S
            self._say(f"{action.target}: start requested")
        elif action.kind == "start-when-permitted":
            contactor.waiting = True
        else:
            contactor.bridged = action.kind == "bridge"
            self._say(f"{action.target}: permissive contact {action.kind}d")

    def _contact(self, contactor: Contactor) -> None:
        battery = contactor.battery
        running = self.plant.batteries()[battery].running
        permitted = contactor.permitted()
        if contactor.waiting and (running or permitted):
            contactor.waiting = False
            if not running:
                contactor.press_until_s = self._time_s + PRESS_S
                self._say(f"{battery}: start requested")
        pressed = contactor.press_until_s is not None
        contactor.show("start", pressed)
        if pressed and not running:
            running = self.plant.request_start(battery, permitted, contactor.bridged)
            if running:
                how = "" if permitted else " over the bridged contact"
                self._say(f"{battery} started{how}")
        if contactor.press_until_s is not None and self._time_s >= contactor.press_until_s:
            contactor.press_until_s = None
            if not running:
                self.plant.stop(battery)
                self._say(f"{battery}: start refused by the permissive contact")
        contactor.show("run", running)

    def _feed(self) -> None:
        for bus in self.buses.values():
            for stage in bus.stages:
                # An outfall's reading has only what the points of an outfall see.
                bus.set_reading(stage, cast("StageReading", self.plant.reading(stage)))

    def _calibrate(self) -> None:
        for bus in self.buses.values():
            for stage in bus.stages:
                electrode = self.plant.electrode(stage)
                for device in bus.board.points.values():
                    if isinstance(device, EzoPh) and device.name.startswith(f"{stage}/"):
                        device.calibrated_with(electrode.slope_pct, electrode.offset_mv)

    def _say(self, text: str) -> None:
        self.events.append(PlantEvent(self._time_s, text))

    def _save(self) -> None:
        self._saved_s = self._time_s
        if self._state is not None:
            with self._lock:
                save_plant(self.plant, self._state)


def save_plant(plant: Plant, path: Path) -> None:
    """Write the plant's state, replacing the old whole."""
    content = json.dumps({"v": STATE_VERSION, "plant": plant.save()})
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_plant_state(path: Path) -> dict[str, Any] | None:
    """The state that save_plant wrote, None where there is none; raises PlantStateError."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        if content["v"] != STATE_VERSION:
            raise PlantStateError(
                f"{path} is of version {content['v']}, this rig writes {STATE_VERSION}: remove it"
            )
        state: dict[str, Any] = content["plant"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, PlantStateError):
            raise
        raise PlantStateError(f"{path} is damaged: remove it and the plant starts anew") from error
    return state


def _contactors(buses: Mapping[str, Bus], batteries: Mapping[str, str]) -> dict[str, Contactor]:
    found = {}
    for bus in buses.values():
        for equipment in bus.config.get("equipment", ()):
            battery = batteries.get(equipment["id"])
            if battery is not None:
                roles = ("run", "start", "bypass", "permissive")
                pins = {role: equipment.get(f"{role}_pin") for role in roles}
                found[battery] = Contactor(equipment["id"], battery, bus, pins)
    missing = sorted(set(batteries.values()) - set(found))
    if missing:
        raise ValueError(f"no node.json has the equipment of {', '.join(missing)}")
    return found
