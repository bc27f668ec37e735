"""Licence files: `licences/*.toml`, one licence a file (docs/formats/licence-toml). Pure.

A file's exact bytes are what counts: by their SHA-256 a permit names its licence and an auditor's
policy lists it. A parser gives the whole licence or ConfigError with file, line, key and remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from raffinate.errors import ConfigError
from raffinate.licence import licence_readers as read
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
    from collections.abc import Iterable
    from datetime import datetime

    from raffinate.licence.parts import Coded
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
    "check_set",
    "format_licence",
    "parse_licence",
    "read_licence",
]

LICENCE_BYTES_MAX = 65_536
GRACE_S_MAX = 7 * 24 * 3600
PURPOSE_CHARS_MAX = 256
SERIALS_MAX = 64
VERSION_MAX = 10_000
KINDS = ("single", "general")


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
    return read_licence(open_table(file, data, LICENCE_BYTES_MAX), sha256(data).hexdigest())


def read_licence(table: Table, digest: str) -> Licence:
    """The licence of an opened file; `digest` is its SHA-256. Raises ConfigError."""
    number, issuer = table.plain("number"), table.plain("issuer")
    serials, stages = _serials(table), _stages(table)
    from_ms, to_ms = table.instant_ms("from"), table.instant_ms("to")
    if to_ms <= from_ms:
        table.fail("to", "is not after `from`; mend one of the two")
    version, replaces = _version(table)
    terms = read.terms(table)
    products, quotas = read.products(table), read.quotas(table)
    requires = read.requires(table, len(terms.unobservable))
    discharge, duties = read.discharge(table), read.duties(table)
    parts: tuple[Coded, ...] = (*products, *quotas, *requires, *discharge, *duties)
    licence = Licence(
        file=table.file,
        sha256=digest,
        number=number,
        issuer=issuer,
        serials=serials,
        stages=stages,
        from_ms=from_ms,
        to_ms=to_ms,
        grace_ms=1000 * table.integer("grace_s", 0, GRACE_S_MAX),
        purpose=table.free("purpose", PURPOSE_CHARS_MAX),
        kind="general" if table.word_or("kind", KINDS, "single") == "general" else "single",
        issued_ms=_issued(table, to_ms),
        version=version,
        replaces=replaces,
        revoked_ms=_revoked(table, version),
        rests_on=_rests_on(table),
        parties=read.parties(table),
        items=read.items(table, serials),
        use=read.use(table),
        products=products,
        quotas=quotas,
        requires=requires,
        waivers=read.waivers(table, [part.code for part in parts]),
        discharge=discharge,
        duties=duties,
        conditions=terms,
    )
    table.done()
    return licence


def check_set(licences: Iterable[Licence]) -> None:
    """Refuse licences that cannot stand together. Raises ConfigError that names both files.

    A number that two issuers gave; a version that is there twice with other bytes; a version whose
    predecessor is missing, is another than it names, or was issued later. Two versions of a number
    of which neither names the other would overlap, and nobody could tell which counts.
    """
    known: dict[str, dict[int, Licence]] = {}
    for licence in licences:
        versions = known.setdefault(licence.number, {})
        for other in versions.values():
            if other.issuer != licence.issuer:
                raise ConfigError(
                    f"{licence.file}: number {licence.number} of {licence.issuer} is a number of "
                    f"{other.issuer} too ({other.file}); mend the number or the issuer"
                )
        other = versions.setdefault(licence.version, licence)
        if other.sha256 != licence.sha256:
            raise ConfigError(
                f"{licence.file}: version {licence.version} of licence {licence.number} is in "
                f"{other.file} too, with other bytes, and the two overlap; give one the next "
                "version with `replaces`"
            )
    for versions in known.values():
        for licence in versions.values():
            _check_predecessor(licence, versions.get(licence.version - 1))


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


def _version(table: Table) -> tuple[int, str | None]:
    version = table.integer_or("version", 1, VERSION_MAX, 1)
    replaces = table.digest_or("replaces")
    if version > 1 and replaces is None:
        table.fail("version", f"is {version}; add replaces, the SHA-256 of the version before it")
    if version == 1 and replaces is not None:
        table.fail("replaces", "stands in a first version; add version (2 or more), or remove it")
    return version, replaces


def _issued(table: Table, to_ms: int) -> int | None:
    found = table.time_ms_or("issued")
    if found is not None and found >= to_ms:
        table.fail("issued", "is not before `to`; mend one of the two")
    return found


def _revoked(table: Table, version: int) -> int | None:
    found = table.time_ms_or("revoked")
    if found is not None and version == 1:
        table.fail("revoked", "ends a version before this one; add version and replaces")
    return found


def _rests_on(table: Table) -> tuple[str, ...]:
    found = table.names("rests_on")
    for place, ref in enumerate(found):
        if "/" not in ref:
            table.fail("rests_on", f"has {ref!r} at place {place + 1}; write regime/number")
    return found


def _check_predecessor(licence: Licence, before: Licence | None) -> None:
    if licence.version == 1:
        return
    name = f"version {licence.version - 1} of licence {licence.number}"
    if before is None:
        raise ConfigError(
            f"{licence.file}: {name}, which it replaces, is not known here; give its file too, or "
            "import it first"
        )
    if before.sha256 != licence.replaces:
        raise ConfigError(
            f"{licence.file}: replaces is not the SHA-256 of {name}, which is {before.sha256}; "
            "mend replaces"
        )
    if None not in (licence.issued_ms, before.issued_ms) and (
        (licence.issued_ms or 0) < (before.issued_ms or 0)
    ):
        raise ConfigError(
            f"{licence.file}: it is issued before {name}, which it replaces ({before.file}); mend "
            "one of the dates"
        )
