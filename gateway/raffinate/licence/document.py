"""Licence files: `licences/*.toml`, one licence a file (docs/formats/licence-toml). Pure.

A file's exact bytes are what counts: by their SHA-256 a permit names its licence and an auditor's
policy lists it. A parser gives the whole licence or ConfigError with file, line, key and remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from raffinate.licence.parts import (
    ANY_USE,
    NO_PARTIES,
    NO_TERMS,
    DischargeLimit,
    Duty,
    Item,
    Parties,
    Product,
    Quota,
    Requirement,
    Terms,
    Use,
    Waiver,
)
from raffinate.licence.table import open_table
from raffinate_wire import ids
from raffinate_wire.errors import WireError
from raffinate_wire.permit import STAGES_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from raffinate.licence.table import Table

__all__ = [
    "LICENCE_BYTES_MAX",
    "DischargeLimit",
    "Duty",
    "Item",
    "Licence",
    "Parties",
    "Product",
    "Quota",
    "Requirement",
    "Terms",
    "Use",
    "Waiver",
    "format_licence",
    "parse_licence",
]

LICENCE_BYTES_MAX = 65_536
GRACE_S_MAX = 7 * 24 * 3600
PURPOSE_CHARS_MAX = 256
SERIALS_MAX = 64


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence of the machines `serials`, valid in [from_ms, to_ms), UTC.

    `replaces` is the SHA-256 of the version before; `revoked_ms` ends it early. `rests_on` names
    rules as `regime/number`.
    """

    file: str
    sha256: str
    number: str
    issuer: str
    serials: tuple[str, ...]
    stages: tuple[str, ...]
    from_ms: int
    to_ms: int
    grace_ms: int
    purpose: str
    kind: Literal["single", "general"] = "single"
    issued_ms: int | None = None
    version: int = 1
    replaces: str | None = None
    revoked_ms: int | None = None
    rests_on: tuple[str, ...] = ()
    parties: Parties = NO_PARTIES
    items: tuple[Item, ...] = ()
    use: Use = ANY_USE
    products: tuple[Product, ...] = ()
    quotas: tuple[Quota, ...] = ()
    requires: tuple[Requirement, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    discharge: tuple[DischargeLimit, ...] = ()
    duties: tuple[Duty, ...] = ()
    conditions: Terms = NO_TERMS

    @property
    def equipment(self) -> str:
        """Its machines' serials, for people; ask `covers` whether one is among them."""
        return ", ".join(self.serials)

    @property
    def ends_ms(self) -> int:
        """The instant from which it is no longer in force: its end or its revocation."""
        return self.to_ms if self.revoked_ms is None else min(self.to_ms, self.revoked_ms)

    def covers(self, serial: str | None) -> bool:
        """True for the serial of one of its machines."""
        return serial in self.serials

    def in_force(self, at_ms: int) -> bool:
        """True at `at_ms`."""
        return self.from_ms <= at_ms < self.ends_ms


def parse_licence(file: str, data: bytes) -> Licence:
    """The licence of a file's bytes. Raises ConfigError that names file, line, key and remedy."""
    table = open_table(file, data, LICENCE_BYTES_MAX)
    from_ms, to_ms = table.instant_ms("from"), table.instant_ms("to")
    if to_ms <= from_ms:
        table.fail("to", "is not after `from`; mend one of the two")
    number, issuer = table.plain("number"), table.plain("issuer")
    licence = Licence(
        file=file,
        sha256=sha256(data).hexdigest(),
        number=number,
        issuer=issuer,
        serials=_serials(table),
        stages=_stages(table),
        from_ms=from_ms,
        to_ms=to_ms,
        grace_ms=1000 * table.integer("grace_s", 0, GRACE_S_MAX),
        purpose=table.free("purpose", PURPOSE_CHARS_MAX),
    )
    table.done()
    return licence


def format_licence(
    number: str,
    issuer: str,
    equipment: str,
    stages: tuple[str, ...],
    start: datetime,
    end: datetime,
    grace_s: int,
    purpose: str = "",
) -> bytes:
    """A licence file's bytes, as `parse_licence` reads them; times in UTC."""
    lines = [f'{name} = "{text}"' for name, text in (("number", number), ("issuer", issuer))]
    lines.append(f'equipment = "{equipment}"')
    lines.append("stages = [" + ", ".join(f'"{stage}"' for stage in stages) + "]")
    lines.append(f"from = {start:%Y-%m-%dT%H:%M:%SZ}")
    lines.append(f"to = {end:%Y-%m-%dT%H:%M:%SZ}")
    lines.append(f"grace_s = {grace_s}")
    if purpose:
        lines.append(f'purpose = "{purpose}"')
    return ("\n".join(lines) + "\n").encode()


def _serials(table: Table) -> tuple[str, ...]:
    found = table.texts("equipment", count_min=1, chars_max=ids.TEXT_CHARS_MAX)
    if len(found) > SERIALS_MAX:
        table.fail("equipment", f"has {len(found)} serials; write at most {SERIALS_MAX}")
    try:
        return tuple(ids.check_text(serial) for serial in found)
    except WireError as error:
        table.fail("equipment", f"cannot stand in the log: {error}")


def _stages(table: Table) -> tuple[str, ...]:
    found = table.texts("stages", count_min=1, chars_max=ids.ID_CHARS_MAX)
    if len(found) > STAGES_MAX:
        table.fail("stages", f"has {len(found)} items; write at most {STAGES_MAX} stage names")
    try:
        return tuple(ids.check_id(stage) for stage in found)
    except WireError as error:
        table.fail("stages", f"has a wrong stage name: {error}")
