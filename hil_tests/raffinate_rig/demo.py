"""The stage `raffinate demo` plays on: broker, twin, buses and nodes over one folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from raffinate_rig.actions import Action, ActionError, parse_action
from raffinate_rig.brokers import NatsBroker
from raffinate_rig.bus import Bus
from raffinate_rig.deploy import deploy
from raffinate_rig.node_process import RESET_EXIT_CODE, NodeProcess
from raffinate_rig.plant_runner import PlantRunner, load_plant_state
from raffinate_rig.processes import wait_until
from raffinate_rig.twin import REFERENCE, Plant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

BACKOFF_S_MAX = 30.0
STABLE_S = 60.0
REQUESTS_MAX = 100
REQUEST_BYTES_MAX = 200
ORPHAN_S = 10.0
# In /proc/PID/stat, counted from the state, which is the first field behind the name.
STAT_START = 19


class StageError(RuntimeError):
    """The stage cannot be set up; the message says what is in the way and what to do."""


@dataclass(frozen=True, slots=True)
class StageEvent:
    """Something worth a line: `source` is a node, `plant` or `broker`.

    `kind` is enrol-code, ready, error, notice or output (the console of a node), ended, started,
    or plant.
    """

    source: str
    kind: str
    text: str


class Stage:
    """Everything of a demo but the gateway.

    `folder` holds `nodes/<node>/node.json` (each node's flash) and gets `rig/`: firmware, logs,
    the plant's state, process ids, and `requests/` for actions from elsewhere. `batteries` maps
    equipment ids to sections of the twin. With `broker_port` it runs a nats-server too. `actions`
    are due after `start`. Use as a context, or call `start`, `poll` now and then, and `stop`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        batteries: Mapping[str, str],
        broker_port: int | None = None,
        speed: int = 1,
        seed: int = 1,
        actions: Sequence[Action] = (),
        start_stopped: bool = True,
        heap: str = "1M",
    ) -> None:
        self.folder = folder
        self.rig = folder / "rig"
        self.speed = speed
        self.broker: NatsBroker | None = None
        self.nodes: dict[str, NodeProcess] = {}
        self.buses: dict[str, Bus] = {}
        self.runner: PlantRunner | None = None
        self._batteries = batteries
        self._broker_port = broker_port
        self._seed = seed
        self._actions = actions
        self._start_stopped = start_stopped
        self._heap = heap
        self._lock_file: IO[str] | None = None
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._failure_told = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Raise the curtain; raises StageError, MissingToolError, DeployError, PlantStateError."""
        try:
            self._start()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                where = error.filename or self.folder
                reason = error.strerror or str(error)
                raise StageError(f"{where}: {reason}; choose a folder you can write to") from error
            raise

    def stop(self) -> None:
        """End every process and save the plant; safe to call twice and under a second Ctrl-C."""
        with _undisturbed():
            for node in self.nodes.values():
                node.stop()
            if self.runner is not None:
                self.runner.close()
                self.runner = None
            for bus in self.buses.values():
                bus.close()
            if self.broker is not None:
                self.broker.stop()
            self.nodes, self.buses, self.broker = {}, {}, None
            if self._lock_file is not None:
                (self.rig / "processes.json").unlink(missing_ok=True)
                self._lock_file.close()
                self._lock_file = None

    def do(self, action: Action) -> None:
        """Add an action; its time counts from the start of the plant."""
        if self.runner is None:
            raise StageError("the stage is not up")
        self.runner.do(action)

    def poll(self) -> list[StageEvent]:
        """What happened since the last poll; restarts nodes and the broker where they ended."""
        events = [
            StageEvent(name, line.kind, line.text)
            for name, node in self.nodes.items()
            for line in node.new_lines()
        ]
        events += self._mind_nodes()
        events += self._mind_broker()
        if self.runner is not None:
            events += [
                StageEvent("plant", "plant", event.text) for event in self.runner.take_events()
            ]
            events += self._take_requests(self.runner)
        return events

    def _start(self) -> None:
        self.rig.mkdir(parents=True, exist_ok=True)
        self._lock_file = _take_lock(self.rig / "lock")
        end_orphans(self.rig / "processes.json")
        requests = self.rig / "requests"
        requests.mkdir(exist_ok=True)
        for old in requests.iterdir():
            old.unlink()
        firmware = deploy(self.rig / "firmware")
        plant = Plant(REFERENCE, self._seed, load_plant_state(self.rig / "plant.json"))
        if self._broker_port is not None:
            self.broker = NatsBroker(self.rig / "broker", self._broker_port)
            self.broker.start()
            self._record()
        configs = node_configs(self.folder / "nodes")
        self.buses = {name: Bus(config, speed=self.speed) for name, config in configs.items()}
        self.runner = PlantRunner(
            plant,
            self.buses,
            batteries=self._batteries,
            speed=self.speed,
            actions=[*self._actions, *self._restarts(plant)],
            state=self.rig / "plant.json",
        )
        self.runner.start()
        for name, bus in self.buses.items():
            self.nodes[name] = NodeProcess(
                name,
                firmware=firmware,
                flash=self.folder / "nodes" / name,
                bus=bus.address,
                speed=self.speed,
                heap=self._heap,
                log=self.rig / f"{name}.log",
            )
            self._start_node(name, "power-on")

    def _restarts(self, plant: Plant) -> Iterable[Action]:
        # a battery that stood when the plant was saved: its operator starts it when he may
        if self._start_stopped:
            for battery, state in plant.batteries().items():
                if not state.running and battery in self._batteries.values():
                    yield Action(0.0, "start-when-permitted", battery)

    def _start_node(self, name: str, cause: str) -> None:
        self.nodes[name].start(cause)
        self._started[name] = time.monotonic()
        self._record()

    def _mind_nodes(self) -> list[StageEvent]:
        events = []
        now = time.monotonic()
        for name, node in self.nodes.items():
            if name in self._due:
                if now >= self._due[name]:
                    del self._due[name]
                    self._start_node(name, "watchdog")
                    events.append(StageEvent(name, "started", "started again"))
            elif not node.running and node.exit_code == RESET_EXIT_CODE:
                self._start_node(name, "soft")
                events.append(StageEvent(name, "started", "reset itself"))
            elif not node.running:
                stable = now - self._started[name] > STABLE_S
                failures = 0 if stable else self._failures.get(name, 0) + 1
                self._failures[name] = failures
                wait_s = min(2.0**failures, BACKOFF_S_MAX)
                self._due[name] = now + wait_s
                text = f"ended with status {node.exit_code}; starts again in {wait_s:g} s"
                events.append(StageEvent(name, "ended", text))
        return events

    def _mind_broker(self) -> list[StageEvent]:
        if self.broker is None or self.broker.running:
            return []
        self.broker.start()
        self._record()
        return [StageEvent("broker", "started", "ended and was started again")]

    def _take_requests(self, runner: PlantRunner) -> list[StageEvent]:
        events = []
        for path in sorted((self.rig / "requests").glob("*.action"))[:REQUESTS_MAX]:
            text = path.read_text(encoding="utf-8", errors="replace")[:REQUEST_BYTES_MAX]
            path.unlink()
            try:
                asked = parse_action(text)
            except ActionError as error:
                events.append(StageEvent("plant", "error", str(error)))
                continue
            runner.do(Action(runner.time_s + asked.at_s, asked.kind, asked.target, asked.stage))
        return events

    def _record(self) -> None:
        pids = [node.pid for node in self.nodes.values() if node.running]
        if self.broker is not None and self.broker.pid is not None:
            pids.append(self.broker.pid)
        content = [{"pid": pid, "started": process_start(pid)} for pid in pids]
        part = self.rig / "processes.json.part"
        part.write_text(json.dumps(content), encoding="ascii")
        part.replace(self.rig / "processes.json")


def request_action(folder: Path, text: str) -> Action:
    """Ask the stage that runs over `folder` for an action, its time counted from now.

    Raises ActionError on a text that is none, StageError where no stage runs.
    """
    action = parse_action(text)
    rig = folder / "rig"
    if not _lock_held(rig / "lock"):
        raise StageError(f"no demo runs in {folder}: start one with `raffinate demo`")
    name = f"{time.time_ns():020d}-{os.getpid()}"
    part = rig / "requests" / f"{name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(part.with_suffix(".action"))
    return action


def running_demo(folder: Path) -> str | None:
    """The process id (or "unknown") of the demo that runs over `folder`; None without one."""
    lock = folder / "rig" / "lock"
    if not lock.exists() or not _lock_held(lock):
        return None
    return lock.read_text(encoding="ascii").strip() or "unknown"


def node_configs(nodes: Path) -> dict[str, dict[str, Any]]:
    """The node.json of each folder below `nodes`; raises StageError."""
    found = {}
    for path in sorted(nodes.glob("*/node.json")):
        try:
            found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StageError(
                f"{path}: {error}; write it again with `raffinate node config`"
            ) from None
    if not found:
        raise StageError(f"{nodes} has no node.json: write them with `raffinate node config`")
    return found


def end_orphans(record: Path) -> list[int]:
    """Kill what an earlier stage left behind; a process counts only with the same start time."""
    try:
        entries = json.loads(record.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return []
    ended = []
    for entry in entries:
        pid, started = entry["pid"], entry["started"]
        if started is None or process_start(pid) != started:
            continue
        _kill_and_wait(pid)
        ended.append(pid)
    record.unlink(missing_ok=True)
    return ended


def process_start(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # the name in brackets may hold anything, so count from behind it
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return int(fields[STAT_START])


def _kill_and_wait(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: process_start(pid) is None, f"process {pid} gone", ORPHAN_S)


def _take_lock(path: Path) -> IO[str]:
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StageError(
            f"another demo runs over this folder (process {owner}): end it or take another folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _lock_held(path: Path) -> bool:
    try:
        with path.open("a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
