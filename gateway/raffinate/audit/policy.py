"""The auditor's policy (docs/formats/policy.md): what he trusts, got apart from any bundle."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.x509 import Certificate, load_der_x509_certificate

from raffinate.errors import ConfigError
from raffinate.tlog.cosignature import CosignatureVerifier, parse_witness_key
from raffinate.tlog.note import EcdsaVerifier, Ed25519Verifier, NoteError, load_p256, parse_vkey
from raffinate.toml_lines import loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GAP_S_MAX = 3600
ANCHOR_LAG_S_MAX = 86_400
_DIGEST_DIGITS = 64
_TABLES = {
    "v": None,
    "log": {"origin", "keys"},
    "authority": {"key"},
    "licences": {"sha256", "issuers"},
    "equipment": {"serials"},
    "witnesses": {"keys", "quorum"},
    "timestamps": {"certificates"},
    "limits": {"gap_s_max", "anchor_lag_s_max"},
    "pin": {"size", "root"},
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Trusted keys, licences by digest, machines that must be covered, limits, pinned head.

    `file_sha256` is over the text in UTF-8 that it was parsed from.
    """

    origin: str
    log_keys: tuple[Ed25519Verifier | EcdsaVerifier, ...]
    authority_spki: bytes
    licences: frozenset[str] = frozenset()
    serials: tuple[str, ...] = ()
    gap_s_max: int = GAP_S_MAX
    anchor_lag_s_max: int = ANCHOR_LAG_S_MAX
    pin: tuple[int, bytes] | None = None
    trusted: bool = True
    issuers: tuple[bytes, ...] = ()
    witnesses: tuple[CosignatureVerifier, ...] = ()
    quorum: int = 1
    timestamps: tuple[Certificate, ...] = ()
    file_sha256: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over what signatures are judged by: origin, log keys, authority key."""
        parts = [self.origin, *(key.vkey() for key in self.log_keys), self.authority_spki.hex()]
        return sha256("\n".join(parts).encode()).hexdigest()


def parse_policy(file: str, text: str) -> Policy:
    """A policy file. Raises ConfigError that names file, key and remedy."""
    try:
        value = loads(text)
    except (ValueError, RecursionError) as error:
        said = "brackets too deep" if isinstance(error, RecursionError) else error
        raise ConfigError(f"{file}: not TOML: {said}; mend it") from None
    _check_names(file, value)
    log, authority = _table(file, value, "log"), _table(file, value, "authority")
    limits, licences = value.get("limits", {}), value.get("licences", {})
    witnesses = _witnesses(file, value.get("witnesses", {}))
    return Policy(
        _text(file, log, "log.origin"),
        _log_keys(file, log),
        _spki(file, _text(file, authority, "authority.key"), "authority.key"),
        _digests(file, licences.get("sha256", [])),
        _serials(file, value.get("equipment", {}).get("serials", [])),
        _seconds(file, limits, "gap_s_max", GAP_S_MAX),
        _seconds(file, limits, "anchor_lag_s_max", ANCHOR_LAG_S_MAX),
        _pin(file, value.get("pin")),
        issuers=tuple(
            _spki(file, text, "licences.issuers")
            for text in _texts(file, licences.get("issuers", []), "licences.issuers")
        ),
        witnesses=witnesses,
        quorum=_quorum(file, value.get("witnesses", {}), len(witnesses)),
        timestamps=_certificates(file, value.get("timestamps", {}).get("certificates", [])),
        file_sha256=sha256(text.encode(errors="replace")).hexdigest(),
    )


def policy_of_public(public: Mapping[str, Any], *, trusted: bool = False) -> Policy:
    """A policy from a `public.json` document; not trusted unless its bearer is. ConfigError."""
    try:
        keys = tuple(parse_vkey(line) for line in _texts("public.json", public["log"], "log"))
        spki = b64decode(public["keys"]["authority"], validate=True)
        load_p256(spki)
        return Policy(str(public["origin"]), keys, spki, trusted=trusted)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"public.json: unreadable keys: {error}") from None


def format_policy(
    public: Mapping[str, Any],
    licences: Iterable[str],
    serials: Iterable[str],
    gap_s_max: int = GAP_S_MAX,
    anchor_lag_s_max: int = ANCHOR_LAG_S_MAX,
    witnesses: Sequence[str] = (),
) -> str:
    """A commented policy of a site's public document, for an auditor to check and keep."""
    lines = [
        "# The auditor's policy for `raffinate audit verify`. Keep it apart from the plant's data.",
        "# Compare keys and digests with what you got from the authority, not with a bundle.",
        "v = 1",
        "",
        "[log]",
        f'origin = "{public["origin"]}"',
        "keys = [",
        *(f'  "{line}",' for line in public["log"]),
        "]",
        "",
        "[authority]",
        f'key = "{public["keys"]["authority"]}"',
        "",
        "[licences]",
        "# SHA-256 of each licence, paper and regime that you vouch for, one a line.",
        "sha256 = [",
        *(f'  "{digest}",' for digest in licences),
        "]",
        "",
        "[equipment]",
        "# Serials of machines that must be covered by statements.",
        "serials = [" + ", ".join(f'"{serial}"' for serial in serials) + "]",
        "",
        *_witness_lines(witnesses),
        "[limits]",
        "# Uncovered time of a node above gap_s_max makes the bundle insufficient.",
        f"gap_s_max = {gap_s_max}",
        f"anchor_lag_s_max = {anchor_lag_s_max}",
    ]
    return "\n".join(lines) + "\n"


def _witness_lines(keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    return [
        "[witnesses]",
        "# Verifier keys of witnesses you trust; a time counts when quorum of them gave it.",
        "keys = [",
        *(f'  "{key}",' for key in keys),
        "]",
        f"quorum = {len(keys) // 2 + 1}",
        "",
    ]


def add_digests(file: str, text: str, digests: Iterable[str]) -> str:
    """The policy's text with more licence digests. Raises ConfigError."""
    known = parse_policy(file, text).licences
    new = [digest for digest in dict.fromkeys(digests) if digest not in known]
    _digests(file, new)
    lines = text.split("\n")
    try:
        start = lines.index("sha256 = [", lines.index("[licences]"))
        end = lines.index("]", start)
    except ValueError:
        raise ConfigError(
            f"{file}: digests are added to a list written as `sha256 = [`, one digest a line, `]` "
            "in the table [licences]"
        ) from None
    lines[end:end] = [f'  "{digest}",' for digest in new]
    return "\n".join(lines)


def _check_names(file: str, value: dict[str, Any]) -> None:
    if value.get("v") != 1:
        raise ConfigError(f"{file}: key v must be 1")
    for name, table in value.items():
        if name not in _TABLES:
            raise ConfigError(f"{file}: unknown key {name}; known are {', '.join(_TABLES)}")
        known = _TABLES[name]
        if known is None:
            continue
        if not isinstance(table, dict):
            raise ConfigError(f"{file}: {name} is a table")
        for key in table:
            if key not in known:
                raise ConfigError(f"{file}: unknown key {name}.{key}")


def _table(file: str, value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: table [{name}] is missing")
    return found


def _text(file: str, table: dict[str, Any], name: str) -> str:
    found = table.get(name.rsplit(".", 1)[1])
    if not isinstance(found, str) or not found:
        raise ConfigError(f"{file}: {name} is a text and must be given")
    return found


def _log_keys(file: str, log: dict[str, Any]) -> tuple[Ed25519Verifier | EcdsaVerifier, ...]:
    keys = log.get("keys")
    if not isinstance(keys, list) or not keys:
        raise ConfigError(f"{file}: log.keys is a list of verifier keys and must be given")
    found = []
    for key in keys:
        try:
            found.append(parse_vkey(key if isinstance(key, str) else ""))
        except NoteError as error:
            raise ConfigError(f"{file}: log.keys: {error}") from None
    if {type(key) for key in found} != {Ed25519Verifier, EcdsaVerifier}:
        raise ConfigError(f"{file}: log.keys must have an Ed25519 and a P-256 key")
    return tuple(found)


def _spki(file: str, text: str, name: str) -> bytes:
    try:
        spki = b64decode(text, validate=True)
        load_p256(spki)
    except ValueError:
        raise ConfigError(f"{file}: {name} is no P-256 key in base64 SPKI DER") from None
    return spki


def _witnesses(file: str, table: dict[str, Any]) -> tuple[CosignatureVerifier, ...]:
    found = []
    for key in _texts(file, table.get("keys", []), "witnesses.keys"):
        try:
            found.append(parse_witness_key(key))
        except NoteError as error:
            raise ConfigError(f"{file}: witnesses.keys: {error}") from None
    if len({witness.name for witness in found}) != len(found):
        raise ConfigError(f"{file}: witnesses.keys has a name twice")
    return tuple(found)


def _quorum(file: str, table: dict[str, Any], count: int) -> int:
    found = table.get("quorum", count // 2 + 1)
    if type(found) is not int or found < 1 or (count and found > count):
        raise ConfigError(f"{file}: witnesses.quorum is 1 to the number of witnesses.keys")
    return found


def _certificates(file: str, found: object) -> tuple[Certificate, ...]:
    try:
        return tuple(
            load_der_x509_certificate(b64decode(text, validate=True))
            for text in _texts(file, found, "timestamps.certificates")
        )
    except ValueError:
        raise ConfigError(
            f"{file}: timestamps.certificates are X.509 certificates, DER in base64"
        ) from None


def _texts(file: str, found: object, name: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ConfigError(f"{file}: {name} is a list of texts")
    return found


def _digests(file: str, found: object) -> frozenset[str]:
    if not isinstance(found, list):
        raise ConfigError(f"{file}: licences.sha256 is a list")
    for digest in found:
        if (
            not isinstance(digest, str)
            or len(digest) != _DIGEST_DIGITS
            or set(digest) - set("0123456789abcdef")
        ):
            raise ConfigError(
                f"{file}: licences.sha256: {digest!r} is not 64 lowercase hexadecimal digits"
            )
    return frozenset(found)


def _serials(file: str, found: object) -> tuple[str, ...]:
    return tuple(_texts(file, found, "equipment.serials"))


def _seconds(file: str, table: dict[str, Any], name: str, default: int) -> int:
    found = table.get(name, default)
    if type(found) is not int or found < 0:
        raise ConfigError(f"{file}: limits.{name} is a whole number of seconds, 0 or more")
    return found


def _pin(file: str, found: object) -> tuple[int, bytes] | None:
    if found is None:
        return None
    try:
        size, text = found["size"], found["root"]  # type: ignore[index]
        root = b64decode(text, validate=True)
    except (KeyError, TypeError, ValueError):
        raise ConfigError(f"{file}: [pin] has size and root (base64) of a checkpoint") from None
    if type(size) is not int or size < 0 or b64encode(root).decode() != text:
        raise ConfigError(f"{file}: [pin] has size and root (base64) of a checkpoint")
    return size, root
