"""The authority's pen: its key and its own chain of statements, kept beside the key.

`<keys>/authority.statements` has every envelope it signed, one a line. A statement is written there
before it is handed on, so that no number is used twice; a lock on the key's file keeps two commands
from signing at once, until what was signed is handed on, so that it arrives in order.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.keys import load_gateway_keys, load_pair
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.publish import replace_file
from raffinate_wire.statement import format_statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from raffinate.keys import KeyPair

STATEMENTS = "authority.statements"
_MODE = 0o600


@contextmanager
def open_authority(folder: Path) -> Iterator[Authority]:
    """The authority's pen, held alone until left. Raises ConfigError."""
    pair = load_pair(folder, "authority")
    with (folder / "authority.key").open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield Authority(folder, pair)


class Authority:
    """Signs the roster's statements; opened by `open_authority`."""

    def __init__(self, folder: Path, pair: KeyPair) -> None:
        self._path = folder / STATEMENTS
        self._pair = pair
        self._keys = load_gateway_keys(folder)
        self._lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        self._seq, self._prev = 0, bytes(32)
        if self._lines:
            self._seq, self._prev = self._check_last()

    def enrol(self, role: str, name: str, spki: bytes, now_ms: int) -> bytes:
        """The envelope that enrols a key; the same one again if it was signed before."""
        keyid = sha256(spki).hexdigest()
        for line in self._lines:
            body = parse_statement(dsse.decode_envelope(line).payload).body
            if (body["role"], body["name"], body["key"]) == (role, name, keyid):
                return bytes(line)
        common = {
            "log": self._keys.origin,
            "site": self._keys.site,
            "node": "authority",
            "keyid": self._pair.keyid,
            "seq": self._seq + 1,
            "prev": self._prev.hex(),
            "timeMs": now_ms,
        }
        specific = {"role": role, "name": name, "key": keyid, "spki": spki, "opening": None}
        payload = format_statement([(f"key/{name}", keyid)], "enrol", common, specific)
        envelope = dsse.sign(payload, dsse.STATEMENT, self._pair)
        self._lines.append(envelope)
        replace_file(self._path, b"\n".join(self._lines) + b"\n", _MODE)
        self._seq, self._prev = self._seq + 1, leaf_hash(envelope)
        return envelope

    @property
    def seq(self) -> int:
        """Number of the newest statement."""
        return self._seq

    def _check_last(self) -> tuple[int, bytes]:
        try:
            envelope = dsse.decode_envelope(self._lines[-1])
            dsse.verify(envelope, self._pair.private.public_key())
            return parse_statement(envelope.payload).seq, leaf_hash(self._lines[-1])
        except RejectedError as error:
            raise ConfigError(
                f"{self._path}: line {len(self._lines)} is not the authority's ({error}); restore "
                "it from a backup, or numbers would be used twice"
            ) from None
