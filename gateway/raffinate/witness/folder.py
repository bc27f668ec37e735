"""A witness's folder: its key, the logs it trusts, the head it last cosigned of each.

| path | holds |
|---|---|
| `witness.key` | Ed25519 private key, PEM, mode 0600 |
| `witness.vkey` | the verifier key that policies and gateways are given |
| `logs/*.toml` | `v = 1`, `origin`, `keys`: a log, and the keys of which one must have signed |
| `heads/<SHA-256 of origin>` | the checkpoint last cosigned, with the cosignature |
| `refused/` | signed requests that did not fit the head: evidence of a fork |

A head is replaced by write, fsync, rename, fsync of the folder, before its cosignature leaves; it
is read again for each request, so that a write whose outcome is unknown decides nothing.
Who takes the key can cosign any head; who puts an old `heads/` back makes the witness forget.
"""

from __future__ import annotations

import fcntl
import shutil
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffinate.errors import ConfigError, RaffinateError
from raffinate.tlog.checkpoint import check_origin, parse_checkpoint
from raffinate.tlog.cosignature import CosignatureSigner, CosignatureVerifier, parse_witness_key
from raffinate.tlog.note import NoteError, parse_note, parse_vkey
from raffinate.tlog.publish import make_folder, replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from raffinate.tlog.checkpoint import Checkpoint
    from raffinate.tlog.note import EcdsaVerifier, Ed25519Verifier

KEY = "witness.key"
VKEY = "witness.vkey"
LOGS_MAX = 1000
LOG_FILE_BYTES_MAX = 65536
KEYS_MAX = 16
REFUSED_MAX = 100
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log by its origin; a head counts when one of `keys` signed it and none of them fails."""

    origin: str
    keys: tuple[Ed25519Verifier | EcdsaVerifier, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The checkpoint last cosigned; `note` has log signatures and the cosignature of `time_s`."""

    checkpoint: Checkpoint
    time_s: int
    note: bytes


class Folder:
    """An existing witness's folder. Raises ConfigError when it is none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.signer = _load_signer(root)

    @property
    def verifier(self) -> CosignatureVerifier:
        """The witness's public half."""
        return self.signer.verifier

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder: `serve` and `cosign` decide one after the other."""
        with (self.root / KEY).open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def logs(self) -> dict[str, TrustedLog]:
        """Trusted logs by origin. Raises ConfigError that names the file."""
        found: dict[str, TrustedLog] = {}
        for path in sorted((self.root / "logs").glob("*.toml"))[:LOGS_MAX]:
            log = _read_log(path)
            if log.origin in found:
                raise ConfigError(f"{path}: log {log.origin} stands in another file too")
            found[log.origin] = log
        return found

    def head(self, origin: str) -> Head | None:
        """The head last cosigned, None before the first. Raises RaffinateError when unreadable."""
        path = self._head_path(origin)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            note = parse_note(data)
            head = Head(parse_checkpoint(note.text), self.verifier.time_s(note), data)
        except NoteError as error:
            raise RaffinateError(
                f"{path} is not a checkpoint that this witness cosigned ({error}); restore it. "
                "Without it the witness would forget what it vouched for"
            ) from None
        if head.checkpoint.origin != origin:
            raise RaffinateError(f"{path} is of log {head.checkpoint.origin}; restore it")
        return head

    def save_head(self, origin: str, note: bytes) -> None:
        """Make a cosigned checkpoint the head; durable when it returns. Raises OSError kinds."""
        replace_file(self._head_path(origin), note)

    def keep_refused(self, data: bytes) -> Path | None:
        """Keep a request that the log signed and that does not fit; None when there are enough."""
        folder = self.root / "refused"
        path = folder / f"{sha256(data).hexdigest()}.request"
        if path.exists():
            return path
        if folder.is_dir() and len(list(folder.iterdir())) >= REFUSED_MAX:
            return None
        replace_file(path, data)
        return path

    def _head_path(self, origin: str) -> Path:
        return self.root / "heads" / sha256(origin.encode()).hexdigest()


def init(root: Path, name: str) -> CosignatureVerifier:
    """Make a witness in an empty or new folder. Raises ConfigError, RaffinateError."""
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise RaffinateError(f"{root} is not empty; keys are never overwritten. Name a new folder")
    key = Ed25519PrivateKey.generate()
    try:
        verifier = CosignatureSigner(name, key).verifier
        check_origin(name)
    except NoteError as error:
        raise ConfigError(f"--name {name!r}: {error}; write it as witness.example/NAME") from None
    try:
        root = root.absolute()
        make_folder(root.parent)
        part = root.with_name(f".{root.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        data = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        replace_file(part / KEY, data, _MODE)
        replace_file(part / VKEY, f"{verifier.vkey()}\n".encode())
        for name_made in ("logs", "heads"):
            make_folder(part / name_made)
        part.rename(root)
        sync_folder(root.parent)
    except OSError as error:
        raise RaffinateError(f"{root} cannot be made: {error.strerror}") from None
    return verifier


def trust(root: Path, origin: str, keys: Sequence[str]) -> Path:
    """Write the file of a trusted log. Raises ConfigError; an existing one is never changed."""
    folder = Folder(root)
    lines = ["v = 1", f'origin = "{origin}"', "keys = [", *(f'  "{key}",' for key in keys), "]", ""]
    path = root / "logs" / f"{origin.replace('/', '_')}.toml"
    log = _check_log("--origin, --key", {"v": 1, "origin": origin, "keys": list(keys)})
    known = folder.logs().get(origin)
    if known is not None:
        if {key.vkey() for key in known.keys} != {key.vkey() for key in log.keys}:
            raise ConfigError(
                f"log {origin} is trusted already, with other keys; if its keys changed rightly, "
                f"edit its file in {root / 'logs'}"
            )
        return path
    replace_file(path, "\n".join(lines).encode())
    return path


def _load_signer(root: Path) -> CosignatureSigner:
    path = root / KEY
    try:
        data = path.read_bytes()
        stated = (root / VKEY).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{root} is no witness's folder ({error}); `raffinate witness init {root} --name NAME` "
            "makes one"
        ) from None
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, None)
        name = parse_witness_key(stated).name
    except (ValueError, TypeError):
        raise ConfigError(f"{root}: {KEY} or {VKEY} is unreadable; restore it") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is no Ed25519 key; restore it")
    signer = CosignatureSigner(name, key)
    if signer.verifier.vkey() != stated:
        raise ConfigError(f"{root / VKEY} is not the verifier key of {path}; restore it")
    return signer


def _read_log(path: Path) -> TrustedLog:
    try:
        with path.open("rb") as source:
            text = source.read(LOG_FILE_BYTES_MAX).decode()
        value = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}; mend the file") from None
    return _check_log(str(path), value)


def _check_log(file: str, value: dict[str, object]) -> TrustedLog:
    origin, keys = value.get("origin"), value.get("keys")
    if set(value) != {"v", "origin", "keys"} or value["v"] != 1:
        raise ConfigError(f"{file}: a log has the keys v = 1, origin and keys, and no others")
    if not isinstance(origin, str) or not isinstance(keys, list):
        raise ConfigError(f"{file}: origin is a text, keys a list of verifier keys")
    if not 1 <= len(keys) <= KEYS_MAX:
        raise ConfigError(f"{file}: keys has 1 to {KEYS_MAX} verifier keys of the log")
    try:
        check_origin(origin)
        found = tuple(parse_vkey(key if isinstance(key, str) else "") for key in keys)
    except NoteError as error:
        raise ConfigError(f"{file}: {error}") from None
    return TrustedLog(origin, found)
