"""The keys folder: what each key can do, and what its thief gains.

| file | can | its thief can |
|---|---|---|
| authority.key | enrol, revoke, retire keys | admit false nodes; shown in the log |
| gateway.key | sign the gateway's own statements and an export's manifest | speak as the gateway |
| permit.key | sign permits | let equipment start; each permit must stand in the log |
| log-*.key (2) | sign checkpoints | fork the log; `seen` of nodes and witnesses show it |

`<role>-<8 digits of its keyid>.key` is a further gateway or permit key, made by a rotation; the one
in use is the one that `public.json` names. Files have mode 0600, the folder 0700; no private key is
ever written over. docs/keys.md has more.
"""

from __future__ import annotations

import json
import shutil
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffinate.errors import ConfigError, RaffinateError
from raffinate.keyfile import load_private, read_key_file, write_private
from raffinate.tlog.note import EcdsaSigner, Ed25519Signer, NoteError, load_p256
from raffinate.tlog.publish import make_folder, replace_file, sync_folder
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_origin

if TYPE_CHECKING:
    from pathlib import Path

    from raffinate.keyfile import Ask

P256_KEYS = ("gateway", "permit", "log-p256")
ROTATING = ("gateway", "permit")
SPARES_MAX = 64
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
    """What a gateway holds; the authority's private key is read only by `open_authority`.

    `spares` are further gateway and permit keys, of rotations to come and gone.
    """

    origin: str
    gateway: KeyPair
    permit: KeyPair
    log: tuple[Ed25519Signer, EcdsaSigner]
    authority_spki: bytes
    folder: Path
    spares: tuple[KeyPair, ...] = ()

    @property
    def site(self) -> str:
        """Last part of the origin."""
        return self.origin.rsplit("/", 1)[1]

    @property
    def authority_keyid(self) -> str:
        """Lowercase hex SHA-256 of the authority's SPKI DER."""
        return sha256(self.authority_spki).hexdigest()

    def using(self, role: str, keyid: str) -> GatewayKeys:
        """The same with another key in use for `role` (gateway or permit). Raises ConfigError."""
        pair: KeyPair = getattr(self, role)
        if pair.keyid == keyid:
            return self
        for spare in self.spares:
            if spare.name == role and spare.keyid == keyid:
                others = tuple(item for item in self.spares if item is not spare)
                return replace(self, **{role: spare}, spares=(*others, pair))  # type: ignore[arg-type]
        raise ConfigError(
            f"{self.folder} has no private key of the {role} key {keyid[:16]} that the log says is "
            "in use; restore the folder from its newest backup"
        )

    def with_authority(self, spki: bytes) -> GatewayKeys:
        """The same under another authority."""
        return replace(self, authority_spki=spki)


def make_keys(folder: Path, origin: str, authority_spki: bytes | None = None) -> None:
    """Make every key of a site. Raises RaffinateError when `folder` holds anything already.

    With `authority_spki` the authority's private key is made and kept elsewhere.
    """
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
    for name in P256_KEYS if authority_spki is not None else ("authority", *P256_KEYS):
        write_private(part / f"{name}.key", ec.generate_private_key(ec.SECP256R1()))
    write_private(part / f"{ED25519_KEY}.key", Ed25519PrivateKey.generate())
    replace_file(part / _ORIGIN, f"{origin}\n".encode(), _MODE)
    if authority_spki is None:
        authority_spki = load_pair(part, "authority").spki
    write_public(_load_gateway_keys(part, authority_spki, None))
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


def write_public(keys: GatewayKeys) -> None:
    """Write `public.json` if it does not say already which keys are in use."""
    data = json.dumps(public_document(keys), indent=1).encode() + b"\n"
    path = keys.folder / _PUBLIC
    if not path.exists() or path.read_bytes() != data:
        replace_file(path, data)


def make_spare(folder: Path, role: str, enrolled: frozenset[str]) -> KeyPair:
    """A further key for `role`: one that no statement enrolled yet, or a new one."""
    for pair in _pairs(folder, role, None):
        if pair.keyid not in enrolled:
            return pair
    key = ec.generate_private_key(ec.SECP256R1())
    pair = KeyPair(role, key, spki_of(key))
    write_private(folder / f"{role}-{pair.keyid[:8]}.key", key)
    return pair


def load_public(folder: Path) -> dict[str, object]:
    """The public document of a keys folder. Raises ConfigError."""
    try:
        found = json.loads(read_key_file(folder / _PUBLIC))
    except ValueError:
        raise ConfigError(f"{folder / _PUBLIC} is no JSON; restore it from a backup") from None
    if not isinstance(found, dict) or found.get("v") != 1:
        raise ConfigError(f"{folder / _PUBLIC}: member v is not 1; restore it from a backup")
    return found


def load_gateway_keys(folder: Path, ask: Ask | None = None) -> GatewayKeys:
    """Everything but the authority's private key. Raises ConfigError."""
    said = load_public(folder).get("keys")
    texts = said if isinstance(said, dict) else {}
    keys = _load_gateway_keys(folder, _spki_of_text(folder, "authority", texts), ask)
    for role in ROTATING:
        spki = _spki_of_text(folder, role, texts)
        keys = keys.using(role, sha256(spki).hexdigest())
    return keys


def load_pair(folder: Path, name: str, ask: Ask | None = None) -> KeyPair:
    """The P-256 key `<name>.key`. Raises ConfigError."""
    return _load_pair(folder / f"{name}.key", name, ask)


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SPKI DER of a key's public half."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_origin(folder: Path) -> str:
    """The log's origin that a folder of keys is for. Raises ConfigError."""
    origin = read_key_file(folder / _ORIGIN).decode(errors="replace").strip()
    try:
        return check_origin(origin)
    except WireError as error:
        raise ConfigError(f"{folder / _ORIGIN}: {error}") from None


def _load_gateway_keys(folder: Path, authority_spki: bytes, ask: Ask | None) -> GatewayKeys:
    origin = read_origin(folder)
    ed25519 = load_private(folder / f"{ED25519_KEY}.key", ask)
    if not isinstance(ed25519, Ed25519PrivateKey):
        raise ConfigError(f"{folder / ED25519_KEY}.key is no Ed25519 key; restore it")
    log = load_pair(folder, "log-p256", ask).private
    gateway, *more = _pairs(folder, "gateway", ask)
    permit, *others = _pairs(folder, "permit", ask)
    signers = (Ed25519Signer(origin, ed25519), EcdsaSigner(origin, log))
    return GatewayKeys(origin, gateway, permit, signers, authority_spki, folder, (*more, *others))


def _pairs(folder: Path, role: str, ask: Ask | None) -> list[KeyPair]:
    """Every key of a role, the first one first."""
    paths = [folder / f"{role}.key", *sorted(folder.glob(f"{role}-*.key"))[:SPARES_MAX]]
    return [_load_pair(path, role, ask) for path in paths]


def _load_pair(path: Path, name: str, ask: Ask | None) -> KeyPair:
    key = load_private(path, ask)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(f"{path} is no P-256 key; restore it from a backup")
    return KeyPair(name, key, spki_of(key))


def _spki_of_text(folder: Path, role: str, texts: dict[str, object]) -> bytes:
    text = texts.get(role)
    try:
        spki = b64decode(text if isinstance(text, str) else "", validate=True)
        load_p256(spki)
    except (ValueError, NoteError):
        raise ConfigError(
            f"{folder / _PUBLIC}: keys.{role} is no P-256 key in base64 SPKI DER; restore it"
        ) from None
    return spki
