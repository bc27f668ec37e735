"""What the gateway's database has of the registry; read only, beside a running gateway."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence.handover import read_only
from raffinate.evidence.register import LICENCE, Register, Row
from raffinate.licence.registrar import listed, parse_any

if TYPE_CHECKING:
    from pathlib import Path

    from raffinate.licence.document import Licence
    from raffinate.licence.papers import Paper
    from raffinate.licence.regime import Regime

_KINDS = "('document', 'regime', 'licence')"


@dataclass(frozen=True, slots=True)
class Holding:
    """A row of the register with its bytes and what they say; both None where they are not here.

    `vouched` is True when an issuer's signature is kept with it; `index` None where the register
    has no statement of it.
    """

    row: Row
    data: bytes | None
    document: Licence | Paper | Regime | None
    signed: bool

    @property
    def version(self) -> int:
        """A licence's version stands in its file."""
        return self.row.version if self.document is None else self._version()

    def _version(self) -> int:
        if self.row.kind == LICENCE and self.document is not None:
            return listed(self.document).version
        return self.row.version


def read_holdings(data: Path) -> list[Holding]:
    """Every version of every document, by kind, name and version. Raises RaffinateError."""
    with read_only(data) as connection:
        state = connection.execute(
            "SELECT name, value FROM state WHERE name LIKE 'document:%'"
        ).fetchall()
        files = connection.execute(
            f"SELECT sha256, kind, name, data FROM documents WHERE kind IN {_KINDS}"  # noqa: S608
        ).fetchall()
        signatures = connection.execute(
            "SELECT name FROM documents WHERE kind = 'signature'"
        ).fetchall()
    register = Register()
    register.load({name: orjson.loads(value) for name, value in state})
    signed = {name.rpartition("/")[2].removesuffix(".dsse") for (name,) in signatures}
    kept = {digest: (kind, name, content) for digest, kind, name, content in files}
    found = []
    for row in register:
        content = kept.pop(row.sha256, (None, None, None))[2]
        found.append(_holding(row, content, row.sha256 in signed))
    for digest, (_, _, content) in kept.items():
        # A log begun before there was a register has documents without a row.
        document = _parse(content)
        if document is not None:
            kind, name, version, replaces = listed(document)
            row = Row(kind, name, version, digest, replaces, -1, 0, "kept", -1)
            found.append(_holding(row, content, digest in signed))
    return sorted(found, key=lambda item: (item.row.kind, item.row.name, item.version))


def find(holdings: list[Holding], kind: str, name: str, version: int | None = None) -> Holding:
    """One version, the newest without a number. Raises RaffinateError."""
    found = [item for item in holdings if (item.row.kind, item.row.name) == (kind, name)]
    if version is not None:
        found = [item for item in found if item.version == version]
    if not found:
        known = sorted({item.row.name for item in holdings if item.row.kind == kind})
        shown = ", ".join(known[:20]) or "none"
        which = "" if version is None else f" version {version}"
        raise RaffinateError(f"the registry has no {kind} {name}{which}; of this kind: {shown}")
    return max(found, key=lambda item: (item.version, item.row.index))


def _holding(row: Row, content: bytes | None, signed: bool) -> Holding:
    document = None if content is None else _parse(content)
    return Holding(row, content, document, signed)


def _parse(content: bytes) -> Licence | Paper | Regime | None:
    try:
        return parse_any(sha256(content).hexdigest(), content)
    except ConfigError:
        return None
