"""Private keys in files: PKCS#8 in PEM, plain with mode 0600 or encrypted with a passphrase.

An encrypted file may lie on a stick whose file system knows no modes; a plain one that others can
read is refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffinate.errors import ConfigError
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[Path], str]
    """Asks a person for the passphrase of a file."""

PASSPHRASE = "RAFFINATE_PASSPHRASE"  # noqa: S105 - a variable's name
PASSPHRASE_FILE = "RAFFINATE_PASSPHRASE_FILE"  # noqa: S105
PASSPHRASE_CHARS_MIN = 12
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_MODE = 0o600
_OTHERS = 0o077


def load_private(path: Path, ask: Ask | None = None) -> object:
    """The private key of a file. Raises ConfigError.

    The passphrase of an encrypted one comes from RAFFINATE_PASSPHRASE_FILE, RAFFINATE_PASSPHRASE,
    or `ask`, in this order.
    """
    data = read_key_file(path)
    if is_encrypted(data):
        return _decrypt(path, data, _passphrase(path, ask))
    if path.stat().st_mode & _OTHERS:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        return serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError):
        raise ConfigError(f"{path} is no private key in PEM; restore it from a backup") from None


def write_private(
    path: Path, key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, passphrase: str | None = None
) -> None:
    """Write or replace a key's file, encrypted if there is a passphrase. Raises ConfigError."""
    if passphrase is not None and len(passphrase) < PASSPHRASE_CHARS_MIN:
        raise ConfigError(f"a passphrase has at least {PASSPHRASE_CHARS_MIN} characters")
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    replace_file(path, data, _MODE)


def change_passphrase(path: Path, new: str | None, ask: Ask) -> None:
    """Store a private key under another passphrase, or none. Raises ConfigError.

    The one before is asked for; the environment's is the new one.
    """
    data = read_key_file(path)
    key = _decrypt(path, data, ask(path)) if is_encrypted(data) else load_private(path)
    if not isinstance(key, (ec.EllipticCurvePrivateKey, Ed25519PrivateKey)):
        raise ConfigError(f"{path} is no key of this program")
    write_private(path, key, new)


def is_encrypted(data: bytes) -> bool:
    """True for an encrypted key's file."""
    return data.lstrip().startswith(_ENCRYPTED)


def given_passphrase() -> str | None:
    """The passphrase of RAFFINATE_PASSPHRASE_FILE or RAFFINATE_PASSPHRASE. Raises ConfigError."""
    file = os.environ.get(PASSPHRASE_FILE)
    if not file:
        return os.environ.get(PASSPHRASE) or None
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{PASSPHRASE_FILE}: {file} cannot be read ({error})") from None


def read_key_file(path: Path) -> bytes:
    """A key file's bytes. Raises ConfigError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is missing; `raffinate keys init --origin DOMAIN/raffinate/SITE` makes keys"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read by user id {os.getuid()} ({error.strerror})"
        ) from None


def _passphrase(path: Path, ask: Ask | None) -> str:
    found = given_passphrase()
    if found is None and ask is not None:
        found = ask(path)
    if found is None:
        raise ConfigError(
            f"{path} is encrypted: name a file with its passphrase in {PASSPHRASE_FILE}, or set "
            f"{PASSPHRASE}"
        )
    return found


def _decrypt(path: Path, data: bytes, passphrase: str) -> object:
    try:
        return serialization.load_pem_private_key(data, passphrase.encode())
    except (ValueError, TypeError):
        raise ConfigError(f"{path}: the passphrase is wrong, or the file is damaged") from None
