"""P-256 verification in processes of its own, so that every core helps with large batches.

Only digests, keys and signatures go there; its answers count as much as this process's own, and
when it fails in any way this process verifies by itself. Small batches never use it. A process
ends when its input does, also when this one is killed. Memory: about 30 MB a process; in this one
at most `CHUNK` items of about 250 bytes for each chunk that is on its way.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import subprocess
import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from raffinate.tlog.note import load_p256

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    Item = tuple[bytes, bytes, bytes]
    _Sent = tuple["_Process | None", int, Sequence[Item | None]]

BATCH_MIN = 64
CHUNK = 96
CHUNKS_AHEAD = 20  # a process: what it has to do while this one commits
PROCESSES_MAX = 4
KEYS_KEPT = 1024
_PIPE_BYTES = 1 << 17  # holds CHUNKS_AHEAD chunks of 5.8 kB, so that sending does not wait
_PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))
_HEAD_BYTES = 4
_MESSAGE_BYTES_MAX = 1 << 20


class Verifier:
    """`results` says for each (SPKI, DER signature, SHA-256) whether it verifies.

    None means "not asked": the caller verifies by itself, as it does to learn the reason of a
    False.
    """

    def __init__(self) -> None:
        self._processes: list[_Process] = []
        self._broken = False
        self._keys = _Keys()
        self._chunks = 0

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [process.pid for process in self._processes]

    def results(
        self, items: Iterable[Item | None], count: int
    ) -> Generator[bool | None, None, None]:
        """One answer for each of `count` items, in order; items are taken ahead.

        Items that are None, and all of a small batch, get None. Close what it returned when not
        every answer is taken.
        """
        if count < BATCH_MIN or not self._start():
            for _ in items:
                yield None
            return
        sent: deque[_Sent] = deque()
        ahead = iter(items)
        ahead_max = CHUNKS_AHEAD * len(self._processes)
        try:
            while True:
                while len(sent) < ahead_max and (chunk := list(islice(ahead, CHUNK))):
                    sent.append(self._send(chunk))
                if not sent:
                    return
                yield from self._receive(*sent.popleft())
        finally:
            if sent:
                # Answers nobody waits for must not be taken for answers to the next batch.
                self.close()

    def close(self) -> None:
        """End the processes; the next large batch starts new ones."""
        processes, self._processes = self._processes, []
        for process in processes:
            process.close()

    def _start(self) -> bool:
        """Start them at the first large batch; False when they cannot be used."""
        if not self._processes and not self._broken:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
            try:
                for _ in range(min(cores, PROCESSES_MAX)):
                    self._processes.append(_Process())
            except OSError:
                self._give_up()
        return bool(self._processes)

    def _send(self, chunk: Sequence[Item | None]) -> _Sent:
        if not self._processes:
            return None, 0, chunk
        self._chunks = (self._chunks + 1) % (1 << 8 * _HEAD_BYTES)
        process = self._processes[self._chunks % len(self._processes)]
        try:
            process.send(self._chunks, self._keys.message(chunk, process))
        except OSError:
            self._give_up()
        return process, self._chunks, chunk

    def _receive(
        self, process: _Process | None, number: int, chunk: Sequence[Item | None]
    ) -> Sequence[bool | None]:
        answer = process.receive(number, len(chunk)) if process is not None else None
        if answer is None:
            self._give_up()
            return [None] * len(chunk)
        return [
            None if item is None else flag == 1 for item, flag in zip(chunk, answer, strict=True)
        ]

    def _give_up(self) -> None:
        self._broken = True
        self.close()


class _Keys:
    """Numbers for keys, so that each is sent to a process once."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._list: list[bytes] = []
        self._generation = 0

    def message(self, chunk: Sequence[Item | None], process: _Process) -> bytes:
        """What a process needs to answer a chunk."""
        if len(self._list) + len(chunk) > KEYS_KEPT:
            self._numbers, self._list = {}, []
            self._generation += 1
        numbers = self._numbers
        items: list[int | bytes | None] = []
        for item in chunk:
            if item is None:
                items += (None, None, None)
                continue
            spki, signature, digest = item
            number = numbers.get(spki)
            if number is None:
                number = numbers[spki] = len(self._list)
                self._list.append(spki)
            items += (number, signature, digest)
        fresh = process.generation != self._generation
        if fresh:
            process.generation, process.keys = self._generation, 0
        new, process.keys = self._list[process.keys :], len(self._list)
        return marshal.dumps((fresh, new, items))


class _Process:
    """One process; `keys` of this `generation` of the keys' numbers are known to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "raffinate.evidence.verifier"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        self.pid = self._process.pid
        self.generation = self.keys = 0
        try:
            fcntl.fcntl(self._to, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except (AttributeError, OSError):
            return  # a smaller pipe only makes the sender wait now and then

    def send(self, number: int, message: bytes) -> None:
        """Ask. Raises OSError."""
        head = len(message).to_bytes(_HEAD_BYTES, "big") + number.to_bytes(_HEAD_BYTES, "big")
        write_all(self._to, head + message)

    def receive(self, number: int, count: int) -> bytes | None:
        """The flags of chunk `number`; None when the process does not give them."""
        answer = read_exactly(self._from, _HEAD_BYTES + count)
        if answer is None or int.from_bytes(answer[:_HEAD_BYTES], "big") != number:
            return None
        return answer[_HEAD_BYTES:]

    def close(self) -> None:
        """End it; from here on it is asked nothing and answers nothing."""
        self._to = self._from = -1
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        self._process.wait()


def serve(source: int, target: int) -> None:
    """Answer chunks from one file descriptor on another until the first ends."""
    keys: list[ec.EllipticCurvePublicKey] = []
    while (head := read_exactly(source, 2 * _HEAD_BYTES)) is not None:
        size = int.from_bytes(head[:_HEAD_BYTES], "big")
        data = read_exactly(source, size) if size <= _MESSAGE_BYTES_MAX else None
        if data is None:
            return
        fresh, new, items = marshal.loads(data)  # noqa: S302 - written by this module
        if fresh:
            keys.clear()
        keys += [load_p256(spki) for spki in new]
        write_all(target, head[_HEAD_BYTES:] + _answer(iter(items), keys))


def read_exactly(source: int, size: int) -> bytes | None:
    """`size` bytes, or None when the input ends before."""
    parts = []
    while size:
        try:
            part = os.read(source, size)
        except OSError:
            return None
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write_all(target: int, data: bytes) -> None:
    """Write every byte."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _answer(items: Iterator[Any], keys: Sequence[ec.EllipticCurvePublicKey]) -> bytes:
    flags = bytearray()
    for number, signature, digest in zip(items, items, items, strict=True):
        flag = 0
        if number is not None:
            try:
                keys[number].verify(signature, digest, _PREHASHED)
                flag = 1
            except InvalidSignature:
                flag = 0
        flags.append(flag)
    return bytes(flags)


if __name__ == "__main__":
    serve(sys.stdin.fileno(), sys.stdout.fileno())
