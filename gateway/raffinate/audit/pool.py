"""Bundles checked by other processes, one a core; they end when their input does."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from raffinate.audit.source import BundleError, open_source
from raffinate.audit.work import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import TracebackType

    from raffinate.audit.chunk import Chunk
    from raffinate.audit.roster import Signer
    from raffinate.audit.work import Job

PROCESSES_MAX = 16
AHEAD_EACH = 3
COLLECT_EVERY = 200_000


class Pool:
    """`Work` by `count` processes on the bundle at `path`; a context manager.

    Raises BundleError when a process ends or cannot read.
    """

    def __init__(self, path: Path, count: int | None = None) -> None:
        wanted = (os.cpu_count() or 1) if count is None else count
        self.join = True
        self._path = path
        self._count = max(1, min(wanted, PROCESSES_MAX))
        self.ahead = AHEAD_EACH * self._count
        self._members: list[tuple[Any, Connection]] = []
        self._told: list[int] = []
        self._sent: deque[int] = deque()
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def send(self, job: Job, keys: Mapping[str, Signer]) -> None:
        """One more job, to the process whose turn it is."""
        if not self._members:
            self._start()
        turn = self._next
        self._next = (turn + 1) % self._count
        new = list(keys.values())[self._told[turn] :]
        self._told[turn] += len(new)
        with suppress(OSError):  # `receive` says that the process ended
            self._members[turn][1].send((job, {one.keyid: one.spki for one in new}, self.join))
        self._sent.append(turn)

    def receive(self) -> Chunk:
        """The chunk of the oldest job."""
        try:
            found = self._members[self._sent.popleft()][1].recv()
        except (EOFError, OSError):
            raise BundleError("a process that checks signatures ended; run it again") from None
        if isinstance(found, str):
            raise BundleError(found)
        chunk: Chunk = found
        return chunk

    def reset(self) -> None:
        """Forget jobs and keys."""
        self._stop()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        for _ in range(self._count):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, self._path), daemon=True)
            process.start()
            theirs.close()
            self._members.append((process, ours))
        self._told = [0] * self._count

    def _stop(self) -> None:
        for process, ours in self._members:
            ours.close()
            process.terminate()
            process.join()
        self._members, self._told, self._next = [], [], 0
        self._sent.clear()


def serve(theirs: Connection, path: Path) -> None:
    """Do jobs until the other end is closed."""
    with suppress(EOFError, OSError, KeyboardInterrupt):
        worker = Worker(open_source(path))
        # What a job makes has no cycles; looking through it costs a part of its time.
        gc.freeze()
        gc.set_threshold(COLLECT_EVERY)
        while True:
            job, keys, join = theirs.recv()
            worker.learn(keys)
            try:
                theirs.send(worker.do(job, join=join))
            except BundleError as error:
                theirs.send(str(error))
