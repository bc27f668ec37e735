"""The keys folder: what each key can do, and what its thief gains.

| file | can | its thief can |
|---|---|---|
| authority.key | enrol, revoke, retire keys | admit false nodes; shown in the log |
| gateway.key | sign the gateway's own statements and an export's manifest | speak as the gateway |
| permit.key | sign permits | let equipment start; each permit must stand in the log |
| log-*.key (2) | sign checkpoints | fork the log; `seen` of nodes and witnesses show it |

Files have mode 0600, the folder 0700. Nothing here is ever written over.
"""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffinate.errors import ConfigError, RaffinateError
from raffinate.tlog.note import EcdsaSigner, Ed25519Signer, NoteError, load_p256
from raffinate.tlog.publish import make_folder, replace_file, sync_folder
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_origin

if TYPE_CHECKING:
    from pathlib import Path

P256_KEYS = ("authority", "gateway", "permit", "log-p256")
ED25519_KEY = "log-ed25519"
_PUBLIC = "public.json"
_ORIGIN = "origin"
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A P-256 key that signs statements, permits or manifests."""

    name: str
    private: ec.EllipticCurvePrivateKey
    spki: bytes

    @property
    def keyid(self) -> str:
        """Lowercase hex SHA-256 of the SPKI DER."""
        return sha256(self.spki).hexdigest()


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """What a gateway holds; the authority's private key is read only by `load_authority`."""

    origin: str
    gateway: KeyPair
    permit: KeyPair
    log: tuple[Ed25519Signer, EcdsaSigner]
    authority_spki: bytes

    @property
    def site(self) -> str:
        """Last part of the origin."""
        return self.origin.rsplit("/", 1)[1]

    @property
    def authority_keyid(self) -> str:
        """Lowercase hex SHA-256 of the authority's SPKI DER."""
        return sha256(self.authority_spki).hexdigest()


def make_keys(folder: Path, origin: str) -> None:
    """Make every key of a site. Raises RaffinateError when `folder` holds anything already."""
    try:
        check_origin(origin)
    except WireError as error:
        raise ConfigError(f"--origin {origin!r}: {error}") from None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RaffinateError(
            f"{folder} is not empty; keys are never overwritten. Name another folder with --keys, "
            "or move the old keys away if you are sure that no log was started with them"
        )
    make_folder(folder.absolute().parent)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for name in P256_KEYS:
        _write_private(part / f"{name}.key", ec.generate_private_key(ec.SECP256R1()))
    _write_private(part / f"{ED25519_KEY}.key", Ed25519PrivateKey.generate())
    replace_file(part / _ORIGIN, f"{origin}\n".encode(), _MODE)
    public = public_document(load_gateway_keys(part))
    replace_file(part / _PUBLIC, json.dumps(public, indent=1).encode() + b"\n")
    part.rename(folder)
    sync_folder(folder.absolute().parent)


def public_document(keys: GatewayKeys) -> dict[str, object]:
    """What `public.json` holds: SPKI DER in base64 by role, and the log's verifier keys."""
    ed25519, ecdsa = keys.log
    spki = {
        "log": ecdsa.verifier.spki,
        "permit": keys.permit.spki,
        "gateway": keys.gateway.spki,
        "authority": keys.authority_spki,
    }
    return {
        "v": 1,
        "origin": keys.origin,
        "keys": {role: b64encode(value).decode() for role, value in spki.items()},
        "log": [ed25519.verifier.vkey(), ecdsa.verifier.vkey()],
    }


def load_public(folder: Path) -> dict[str, object]:
    """The public document of a keys folder. Raises ConfigError."""
    try:
        found = json.loads(_read(folder / _PUBLIC))
    except ValueError:
        raise ConfigError(f"{folder / _PUBLIC} is no JSON; restore it from a backup") from None
    if not isinstance(found, dict) or found.get("v") != 1:
        raise ConfigError(f"{folder / _PUBLIC}: member v is not 1; restore it from a backup")
    return found


def load_gateway_keys(folder: Path) -> GatewayKeys:
    """Everything but the authority's private key. Raises ConfigError."""
    origin = _read(folder / _ORIGIN).decode(errors="replace").strip()
    try:
        check_origin(origin)
    except WireError as error:
        raise ConfigError(f"{folder / _ORIGIN}: {error}") from None
    ed25519 = _load(folder / f"{ED25519_KEY}.key")
    if not isinstance(ed25519, Ed25519PrivateKey):
        raise ConfigError(f"{folder / ED25519_KEY}.key is no Ed25519 key; restore it")
    if (folder / _PUBLIC).exists():
        keys = load_public(folder).get("keys")
        text = keys.get("authority") if isinstance(keys, dict) else None
        authority = _spki_of_text(folder, text)
    else:
        authority = load_pair(folder, "authority").spki
    return GatewayKeys(
        origin,
        load_pair(folder, "gateway"),
        load_pair(folder, "permit"),
        (
            Ed25519Signer(origin, ed25519),
            EcdsaSigner(origin, load_pair(folder, "log-p256").private),
        ),
        authority,
    )


def load_pair(folder: Path, name: str) -> KeyPair:
    """One P-256 key. Raises ConfigError."""
    path = folder / f"{name}.key"
    key = _load(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(f"{path} is no P-256 key; restore it from a backup")
    return KeyPair(name, key, spki_of(key))


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SPKI DER of a key's public half."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    replace_file(path, data, _MODE)


def _load(path: Path) -> object:
    data = _read(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        return serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError):
        raise ConfigError(f"{path} is no private key in PEM; restore it from a backup") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is missing; `raffinate keys init --origin DOMAIN/raffinate/SITE` makes keys"
        ) from None
    except PermissionError:
        raise ConfigError(f"{path} cannot be read by user id {os.getuid()}") from None


def _spki_of_text(folder: Path, text: object) -> bytes:
    try:
        spki = b64decode(text if isinstance(text, str) else "", validate=True)
        load_p256(spki)
    except (ValueError, NoteError):
        raise ConfigError(
            f"{folder / _PUBLIC}: keys.authority is no P-256 key in base64 SPKI DER; restore it"
        ) from None
    return spki
