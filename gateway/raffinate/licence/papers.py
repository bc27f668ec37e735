"""Papers: every document beside licences and regimes (docs/formats/papers.md). Pure.

One paper a TOML file. Its exact bytes count, by SHA-256: they are never written over, a new version
names the one it replaces. A parser gives a value or ConfigError with file, line, key and remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from raffinate.errors import ConfigError
from raffinate.licence.paper_kinds import (
    ACKNOWLEDGED,
    ACTIVITIES,
    COMMITMENTS,
    MASS_G,
    REAGENT_FLOWS,
    VOLUME_ML,
    Acknowledgement,
    Amount,
    Approval,
    Assay,
    Content,
    EndUserCertificate,
    Lot,
    Members,
    Parameter,
    Parameters,
    Party,
    Reagent,
    Report,
    Screening,
    Transfer,
    Visit,
    WorkOrder,
)
from raffinate.licence.paper_readers import READERS
from raffinate.licence.table import open_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.licence.table import Table

__all__ = [
    "ACKNOWLEDGED",
    "ACTIVITIES",
    "COMMITMENTS",
    "KINDS",
    "MASS_G",
    "PAPER_BYTES_MAX",
    "REAGENT_FLOWS",
    "VOLUME_ML",
    "Acknowledgement",
    "Amount",
    "Approval",
    "Assay",
    "Attachment",
    "Content",
    "EndUserCertificate",
    "Lot",
    "Members",
    "Paper",
    "Parameter",
    "Parameters",
    "Party",
    "Reagent",
    "Report",
    "Screening",
    "Transfer",
    "Visit",
    "Vouched",
    "WorkOrder",
    "check_set",
    "parse_paper",
    "read_paper",
]

PAPER_BYTES_MAX = 65_536
VERSION_MAX = 10_000
KINDS = tuple(READERS)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A further file, known by the digest of its salted document alone."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A parsed paper; `members` has its kind's type; `issued_ms` None where it has no date."""

    file: str
    sha256: str
    kind: str
    id: str
    version: int
    replaces: str | None
    issuer: str
    issued_ms: int | None
    attachments: tuple[Attachment, ...]
    members: Members


@dataclass(frozen=True, slots=True)
class Vouched:
    """A paper and who vouches for it: the policy's list, an issuer's signature, or nobody."""

    paper: Paper
    by: Literal["list", "signature"] | None


def parse_paper(file: str, data: bytes) -> Paper:
    """The paper of a file's bytes. Raises ConfigError that names file, line, key and remedy."""
    return read_paper(open_table(file, data, PAPER_BYTES_MAX), sha256(data).hexdigest())


def read_paper(table: Table, digest: str) -> Paper:
    """The paper of an opened file; `digest` is its SHA-256. Raises ConfigError."""
    kind = table.word("kind", KINDS)
    version = table.integer_or("version", 1, VERSION_MAX, 1)
    replaces = table.digest_or("replaces")
    if (version == 1) != (replaces is None):
        table.fail(
            "version" if replaces is None else "replaces",
            "a version after the first has `replaces`, the SHA-256 of the one before; the first "
            "has none",
        )
    name = table.name("id")
    issuer, issued_ms = table.text_or("issuer"), table.time_ms_or("issued")
    attachments = tuple(_attachment(item) for item in table.tables("attachments"))
    members = READERS[kind](table)
    table.done()
    return Paper(
        table.file, digest, kind, name, version, replaces, issuer, issued_ms, attachments, members
    )


def check_set(papers: Iterable[Paper]) -> None:
    """Refuse papers that cannot stand together. Raises ConfigError that names both files.

    Two files of one kind, id and version; a version whose predecessor is another than it names, is
    missing, or is dated later.
    """
    known: dict[tuple[str, str, int], Paper] = {}
    for paper in papers:
        other = known.setdefault((paper.kind, paper.id, paper.version), paper)
        if other.sha256 != paper.sha256:
            raise ConfigError(
                f"{paper.file}: {paper.kind} {paper.id} version {paper.version} is in {other.file} "
                "too, with other bytes; give one of them another id, or the next version with "
                "`replaces`"
            )
    for paper in known.values():
        before = known.get((paper.kind, paper.id, paper.version - 1))
        if paper.version == 1:
            continue
        if before is None:
            raise ConfigError(
                f"{paper.file}: version {paper.version - 1} of {paper.kind} {paper.id} is missing; "
                "import it first or with this one"
            )
        if before.sha256 != paper.replaces:
            raise ConfigError(
                f"{paper.file}: replaces is not the SHA-256 of version {before.version}, which is "
                f"{before.sha256} ({before.file}); mend replaces"
            )
        if None not in (paper.issued_ms, before.issued_ms) and _issued(paper) < _issued(before):
            raise ConfigError(
                f"{paper.file}: it is issued before version {before.version}, which it replaces "
                f"({before.file}); mend one of the dates"
            )


def _issued(paper: Paper) -> int:
    return paper.issued_ms or 0


def _attachment(table: Table) -> Attachment:
    found = Attachment(table.text("name"), table.digest("sha256"))
    table.done()
    return found
