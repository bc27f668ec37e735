"""Projections of the archive: each reads frames after its own cursor, in a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from raffinate.errors import StorageFullError
from raffinate.series.targets import (
    InfluxRefusedError,
    InfluxTarget,
    InfluxTooLargeError,
    InfluxUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.ports import Archive
    from raffinate.series.embedded import EmbeddedSeries
    from raffinate.series.line_protocol import LineFormatter

FRAMES_PER_READ_MAX = 1000
LINES_PER_WRITE_MAX = 10_000
IDLE_S = 0.2
BACKOFF_S_MIN = 1.0
BACKOFF_S_MAX = 30.0
INFLUX_CURSOR = "influx"


@dataclass(frozen=True, slots=True)
class ProjectionState:
    """What an operator sees of a projection; `lag` counts frames archived but not projected."""

    state: str
    detail: str
    position: int
    lag: int
    quarantined: int = 0


class Quarantine(Protocol):
    """Where what is refused for good is kept with its reason."""

    def __call__(self, source: str, reason: str, data: bytes) -> None:
        """Keep `data`, up to the quarantine's limit."""


class Projection:
    """The thread, the waiting and the state that all projections share."""

    def __init__(self, name: str, archive: Archive) -> None:
        self.name = name
        self._archive = archive
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._state = ProjectionState("starting", "", 0, 0)
        self._thread = threading.Thread(target=self._run, name=f"projection-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the archive has grown."""
        self._wake.set()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the thread to finish and wait for it."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is None:
            self._finish()
        else:
            self._thread.join(timeout_s)

    def state(self) -> ProjectionState:
        """Return the state now; the lag counts from the archive's newest frame."""
        state = self._state
        return replace(state, lag=max(0, self._archive.last_position() - state.position))

    def step(self) -> bool:
        """Project one batch; False when there was nothing to do."""
        raise NotImplementedError

    def _say(self, state: str, detail: str, position: int) -> None:
        self._state = replace(self._state, state=state, detail=detail, position=position)

    def _finish(self) -> None:
        """Leave the store tidy at the end of the thread."""

    def _run(self) -> None:
        backoff = BACKOFF_S_MIN
        while not self._stop.is_set():
            try:
                busy = self.step()
            except InfluxUnavailableError as error:
                self._say("waiting", f"{error}; {error.remedy}", self._state.position)
                self._stop.wait(backoff)
                backoff = min(backoff * 2, BACKOFF_S_MAX)
                continue
            except (StorageFullError, OSError) as error:
                self._say("storage-full", str(error), self._state.position)
                self._stop.wait(backoff)
                backoff = min(backoff * 2, BACKOFF_S_MAX)
                continue
            backoff = BACKOFF_S_MIN
            if not busy:
                self._wake.wait(IDLE_S)
                self._wake.clear()
        self._finish()


class SeriesProjection(Projection):
    """The archive into the embedded series store."""

    def __init__(self, archive: Archive, series: EmbeddedSeries) -> None:
        super().__init__("series", archive)
        self._series = series
        self._position = series.resume_position()
        self._owed = False

    def step(self) -> bool:
        """Take one batch of frames; after a full store, first write what is owed."""
        if self._owed:
            self._series.flush()
            self._owed = False
            self._position = self._series.position()
        frames = self._archive.read(self._position, FRAMES_PER_READ_MAX)
        if frames:
            try:
                self._series.write(frames)
            except StorageFullError:
                self._owed = True
                raise
            self._position = frames[-1].position
        self._say("ok", "", self._position)
        return bool(frames)

    def _finish(self) -> None:
        self._series.close()


class InfluxProjection(Projection):
    """The archive into an InfluxDB; a line it refuses for good goes to quarantine."""

    def __init__(
        self,
        archive: Archive,
        formatter: LineFormatter,
        open_target: Callable[[], InfluxTarget],
        quarantine: Quarantine,
    ) -> None:
        super().__init__("influx", archive)
        self._formatter = formatter
        self._target = open_target()
        self._quarantine = quarantine
        self._position = archive.cursor(INFLUX_CURSOR)
        self._refused = ""

    def step(self) -> bool:
        """Write one batch, then move the cursor."""
        frames = self._archive.read(self._position, FRAMES_PER_READ_MAX)
        if frames:
            lines = [line for stored in frames for line in self._formatter.lines(stored)]
            for start in range(0, len(lines), LINES_PER_WRITE_MAX):
                self._write(lines[start : start + LINES_PER_WRITE_MAX])
            self._position = frames[-1].position
            self._archive.advance(INFLUX_CURSOR, self._position)
        self._say("refusing" if self._refused else "ok", self._refused, self._position)
        return bool(frames)

    def _write(self, lines: list[str]) -> None:
        """Halve what is refused until the bad line stands alone. Raises InfluxUnavailableError."""
        try:
            self._target.write("\n".join(lines).encode())
        except (InfluxRefusedError, InfluxTooLargeError) as error:
            if len(lines) > 1:
                middle = len(lines) // 2
                self._write(lines[:middle])
                self._write(lines[middle:])
                return
            self._quarantine("influx", str(error), lines[0].encode())
            self._refused = (
                f"lines in quarantine; the newest reason: {error}. Mend the database (a field type "
                "conflict needs a new bucket or database), then `raffinate gateway --refill-influx`"
            )
            self._state = replace(self._state, quarantined=self._state.quarantined + 1)

    def _finish(self) -> None:
        self._target.close()
