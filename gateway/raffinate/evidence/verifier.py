"""P-256 verification in a process of its own, so that a second core helps with large batches.

Only digests, keys and signatures go there; its answers count as much as this process's own, and
when it fails in any way this process verifies by itself. Small batches never use it. It ends when
its input does, also when this process is killed.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from raffinate.tlog.note import load_p256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Item = tuple[bytes, bytes, bytes]

BATCH_MIN = 64
CHUNK = 96
CHUNKS_AHEAD = 3
KEYS_KEPT = 1024
_PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))
_HEAD_BYTES = 4
_MESSAGE_BYTES_MAX = 1 << 20


class Verifier:
    """`results` says for each (SPKI, DER signature, SHA-256) whether it verifies.

    None means "not asked": the caller verifies by itself, as it does to learn the reason of a
    False.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._broken = False

    def results(self, items: Iterable[Item | None], count: int) -> Iterator[bool | None]:
        """One answer for each of `count` items, in order; items are taken a little ahead.

        Items that are None, and all of a small batch, get None.
        """
        if count < BATCH_MIN or not self._start():
            for _ in items:
                yield None
            return
        sent: deque[Sequence[Item | None]] = deque()
        ahead = iter(items)
        while True:
            while len(sent) < CHUNKS_AHEAD and (chunk := list(islice(ahead, CHUNK))):
                self._send(chunk)
                sent.append(chunk)
            if not sent:
                return
            yield from self._receive(sent.popleft())

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.terminate()
        process.wait()

    def _start(self) -> bool:
        """Start it at the first large batch; False when it cannot be used."""
        if self._process is None and not self._broken:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "raffinate.evidence.verifier"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError:
                self._broken = True
        return self._process is not None

    def _send(self, chunk: Sequence[Item | None]) -> None:
        if self._process is None or self._process.stdin is None:
            return
        data = marshal.dumps(list(chunk))
        try:
            write_all(self._process.stdin.fileno(), len(data).to_bytes(_HEAD_BYTES, "big") + data)
        except OSError:
            self._give_up()

    def _receive(self, chunk: Sequence[Item | None]) -> Sequence[bool | None]:
        if self._process is None or self._process.stdout is None:
            return [None] * len(chunk)
        answer = read_exactly(self._process.stdout.fileno(), len(chunk))
        if answer is None:
            self._give_up()
            return [None] * len(chunk)
        return [
            None if item is None else flag == 1 for item, flag in zip(chunk, answer, strict=True)
        ]

    def _give_up(self) -> None:
        self._broken = True
        self.close()


def serve(source: int, target: int) -> None:
    """Answer chunks from one file descriptor on another until the first ends."""
    keys: dict[bytes, ec.EllipticCurvePublicKey] = {}
    while (head := read_exactly(source, _HEAD_BYTES)) is not None:
        size = int.from_bytes(head, "big")
        data = read_exactly(source, size) if size <= _MESSAGE_BYTES_MAX else None
        if data is None:
            return
        write_all(target, bytes(_answer(item, keys) for item in marshal.loads(data)))  # noqa: S302 - written by this module


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


def _answer(item: Item | None, keys: dict[bytes, ec.EllipticCurvePublicKey]) -> int:
    if item is None:
        return 0
    spki, signature, digest = item
    key = keys.get(spki)
    if key is None:
        if len(keys) >= KEYS_KEPT:
            keys.clear()
        key = keys[spki] = load_p256(spki)
    try:
        key.verify(signature, digest, _PREHASHED)
    except InvalidSignature:
        return 0
    return 1


if __name__ == "__main__":
    serve(sys.stdin.fileno(), sys.stdout.fileno())
