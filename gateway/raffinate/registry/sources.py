"""Files that a person names, read as documents with the signatures that lie beside them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.errors import ConfigError, RejectedError, printable
from raffinate.evidence import dsse
from raffinate.licence.document import Licence
from raffinate.licence.registrar import check_dates, listed, parse_any
from raffinate.registry.json_toml import JSON_BYTES_MAX, json_to_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from raffinate.evidence.documents import Listed
    from raffinate.licence.papers import Paper
    from raffinate.licence.regime import Regime

FILES_MAX = 100
SIGNED_BYTES_MAX = 1 << 21


@dataclass(frozen=True, slots=True)
class Source:
    """A document's bytes, what it is, and the envelope of its issuer or None.

    `converted`: the file was JSON, `data` is its TOML.
    """

    path: Path
    data: bytes
    document: Licence | Paper | Regime
    signature: bytes | None
    converted: bool

    @property
    def file(self) -> str:
        """The path, for messages."""
        return printable(str(self.path))

    @property
    def sha256(self) -> str:
        """Of the bytes that count."""
        return sha256(self.data).hexdigest()

    @property
    def listed(self) -> Listed:
        """Kind, name, version, digest replaced."""
        return listed(self.document)

    @property
    def payload_type(self) -> bytes:
        """What a signature of it is made as."""
        return dsse.LICENCE if isinstance(self.document, Licence) else dsse.DOCUMENT


def load(paths: Sequence[Path], now_ms: int) -> list[Source]:
    """Every file, or ConfigError with what is wrong in each that is wrong."""
    if len(paths) > FILES_MAX:
        raise ConfigError(f"{len(paths)} files are given; at most {FILES_MAX} go at once")
    found, problems = [], []
    for path in paths:
        try:
            found.append(_load(path, now_ms))
        except ConfigError as error:
            problems.append(str(error))
    problems += _twice(found)
    if problems:
        if len(paths) > 1:
            problems.append(f"nothing is done with any of the {len(paths)} files")
        raise ConfigError("\n".join(problems))
    return found


def _load(path: Path, now_ms: int) -> Source:
    data = _read(path, JSON_BYTES_MAX)
    converted = path.suffix.lower() == ".json"
    if converted:
        data = json_to_toml(printable(str(path)), data)
    document = check_dates(parse_any(printable(str(path)), data), now_ms)
    source = Source(path, data, document, None, converted)
    signature = _signature(source)
    return Source(path, data, document, signature, converted)


def _signature(source: Source) -> bytes | None:
    """`<sha256>.dsse` in the file's folder, or FILE.dsse."""
    folder, name = source.path.parent, source.path.name
    for path in (folder / f"{source.sha256}.dsse", folder / f"{name}.dsse"):
        if not path.is_file():
            continue
        data, shown = _read(path, SIGNED_BYTES_MAX), printable(str(path))
        try:
            envelope = dsse.decode_envelope(data, SIGNED_BYTES_MAX)
            dsse.check_form(envelope)
        except RejectedError as error:
            raise ConfigError(f"{shown}: no signature: {error}; sign again or remove it") from None
        if (envelope.payload_type, envelope.payload) != (source.payload_type, source.data):
            raise ConfigError(
                f"{shown}: it signs other bytes than {source.file} has, or as another type; sign "
                "the file again, or remove the signature"
            )
        return data
    return None


def _twice(found: Sequence[Source]) -> list[str]:
    """Two files of one number, and versions that overlap."""
    known: dict[tuple[str, str, int], Source] = {}
    problems = []
    for source in found:
        kind, name, version, _ = source.listed
        other = known.setdefault((kind, name, version), source)
        if other is not source:
            same = "with the same bytes" if other.data == source.data else "with other bytes"
            problems.append(
                f"{source.file}: {kind} {name} version {version} is in {other.file} too, {same}; "
                "give it once"
            )
    return problems


def _read(path: Path, bytes_max: int) -> bytes:
    shown = printable(str(path))
    if path.is_fifo():
        raise ConfigError(f"{shown}: it is a pipe, which may never end; give a file")
    try:
        with path.open("rb") as source:
            data = source.read(bytes_max + 1)
    except OSError as error:
        raise ConfigError(f"{shown}: it cannot be read: {error.strerror}") from None
    if len(data) > bytes_max:
        raise ConfigError(f"{shown}: it has more than {bytes_max} bytes")
    return data
