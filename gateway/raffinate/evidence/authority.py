"""The authority's pen: its key and its own chain of statements, kept beside the key.

The folder is the site's keys folder, or one of the authority's own, on another machine or a stick:
`authority.key` (encrypted or 0600), `origin`, `authority.json` (its public half) and
`authority.statements`, which has every envelope it signed, one a line. A statement is written there
before it is handed on, so that no number is used twice; a lock on the key's file keeps two commands
from signing at once, until what was signed is handed on, so that it arrives in order. Signing needs
no network, no gateway and no plant.toml. Whoever restores an older copy of the folder signs numbers
twice: copy it whole, and keep one copy in use.
"""

from __future__ import annotations

import fcntl
import json
from base64 import b64decode, b64encode
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec

from raffinate.errors import ConfigError, RaffinateError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.keyfile import write_private
from raffinate.keys import load_pair, read_origin, spki_of
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.publish import make_folder, replace_file
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_origin
from raffinate_wire.statement import format_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from raffinate.keyfile import Ask
    from raffinate.keys import KeyPair

STATEMENTS = "authority.statements"
PUBLIC = "authority.json"
PUBLIC_BYTES_MAX = 4096
_MODE = 0o600


@contextmanager
def open_authority(folder: Path, ask: Ask | None = None) -> Iterator[Authority]:
    """The authority's pen, held alone until left. Raises ConfigError."""
    pair = load_pair(folder, "authority", ask)
    with (folder / "authority.key").open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield Authority(folder, pair)


def make_authority(folder: Path, origin: str, passphrase: str | None) -> bytes:
    """Make an authority's folder for the log `origin`; the SPKI. Raises RaffinateError."""
    try:
        check_origin(origin)
    except WireError as error:
        raise ConfigError(f"--origin {origin!r}: {error}") from None
    if folder.exists() and any(folder.iterdir()):
        raise RaffinateError(f"{folder} is not empty; an authority's key is never written over")
    make_folder(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    spki = spki_of(key)
    write_private(folder / "authority.key", key, passphrase)
    replace_file(folder / "origin", f"{origin}\n".encode(), _MODE)
    document = {"v": 1, "origin": origin, "authority": b64encode(spki).decode()}
    replace_file(folder / PUBLIC, json.dumps(document, indent=1).encode() + b"\n")
    return spki


def read_public_file(path: Path) -> tuple[str, bytes]:
    """(origin, SPKI) of an `authority.json`. Raises ConfigError."""
    try:
        found = json.loads(path.read_bytes()[:PUBLIC_BYTES_MAX])
        origin = check_origin(found["origin"])
        spki = b64decode(found["authority"], validate=True)
        dsse.public_key(spki)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, WireError, RejectedError) as error:
        raise ConfigError(
            f"{path} is no authority.json as `raffinate keys authority init` writes it ({error!r})"
        ) from None
    return origin, spki


class Authority:
    """Signs the roster's statements; opened by `open_authority`."""

    def __init__(self, folder: Path, pair: KeyPair) -> None:
        self._path = folder / STATEMENTS
        self._pair = pair
        self.origin = read_origin(folder)
        self._lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        self._seq, self._prev = 0, bytes(32)
        if self._lines:
            self._seq, self._prev = self._check_last()

    def sign(self, kind: str, specific: Mapping[str, Any], now_ms: int) -> bytes:
        """The envelope of a roster statement; the same one again if it was signed before.

        `specific` has the predicate's own members, `spki` as bytes. A rotation of the authority
        gets its predecessor here. Raises WireError for members that are not as documented.
        """
        members = dict(specific)
        if kind == "rotate" and members["role"] == "authority":
            members["predecessor"] = {
                "keyid": self._pair.keyid,
                "seq": self._seq,
                "head": self._prev.hex(),
            }
        said = [bytes(line) for line in self._lines if self._says(line, kind, members)]
        if said:
            return said[-1]
        name = members["name"]
        common = {
            "log": self.origin,
            "site": self.origin.rsplit("/", 1)[1],
            "node": "authority",
            "keyid": self._pair.keyid,
            "seq": self._seq + 1,
            "prev": self._prev.hex(),
            "timeMs": now_ms,
        }
        payload = format_statement([(f"key/{name}", members["key"])], kind, common, members)
        envelope = dsse.sign(payload, dsse.STATEMENT, self._pair)
        self._lines.append(envelope)
        replace_file(self._path, b"\n".join(self._lines) + b"\n", _MODE)
        self._seq, self._prev = self._seq + 1, leaf_hash(envelope)
        return envelope

    def enrol(self, role: str, name: str, spki: bytes, now_ms: int) -> bytes:
        """The envelope that enrols a first key of `name`; the same again if signed before."""
        keyid = sha256(spki).hexdigest()
        members = {"role": role, "name": name, "key": keyid, "spki": spki, "opening": None}
        return self.sign("enrol", members, now_ms)

    @property
    def seq(self) -> int:
        """Number of the newest statement."""
        return self._seq

    @property
    def keyid(self) -> str:
        """The authority's key."""
        return self._pair.keyid

    def _says(self, line: bytes, kind: str, members: Mapping[str, Any]) -> bool:
        statement = parse_statement(dsse.decode_envelope(line).payload)
        if statement.type != kind:
            return False
        for name, value in members.items():
            said = statement.body[name]
            if said != (b64encode(value).decode() if isinstance(value, bytes) else value):
                return name == "predecessor" and members["role"] == "authority"
        return True

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
