"""Which licences, papers, regimes, attachments and holds the log has, as the gateway remembers it.

A row is kept in the database's `state` by the SHA-256 of the bytes. It is made when the statement
is signed, so that it is committed with it. Who can write the database can change rows, and with
them what `raffinate registry list` shows; the log, which an auditor reads, stays.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from raffinate.evidence.work import Work

HOLD, ATTACHMENT, LICENCE = "hold", "attachment", "licence"
ROW = "document:"
ROWS_MAX = 10_000
_STATES = {"add": "kept", "delete": "deleted", "hold": "held", "release": "released"}


@dataclass(frozen=True, slots=True)
class Row:
    """One version: `index` and `time_ms` of the statement that brought it; a licence's is 0.

    `state` is kept, deleted, held or released; `changed` is the index of its newest statement.
    """

    kind: str
    name: str
    version: int
    sha256: str
    replaces: str | None
    index: int
    time_ms: int
    state: str
    changed: int

    @property
    def key(self) -> tuple[str, str, int]:
        """Kind, name, version."""
        return self.kind, self.name, self.version


class Register:
    """Rows in the order in which they came."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take the rows of the database's `state`."""
        rows = [Row(**value) for name, value in state.items() if name.startswith(ROW)]
        self._rows = {row.sha256: row for row in sorted(rows, key=lambda row: row.index)}

    def note(self, kind: str, body: Mapping[str, Any], index: int, work: Work) -> None:
        """Remember a `document` or `licence` statement that `work` brings into the log."""
        if kind == "licence":
            body = {**body, "kind": LICENCE, "name": body["licence"], "version": 0, "action": "add"}
        elif kind != "document":
            return
        digest, state = body["sha256"], _STATES[body["action"]]
        known = self._rows.get(digest)
        if known is None:
            members = (body["kind"], body["name"], body["version"], digest, body["replaces"])
            row = Row(*members, index, work.now_ms, state, index)
        else:
            row = replace(known, state=state, changed=index)
        self._rows[digest] = row
        work.state[f"{ROW}{digest}"] = asdict(row)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def get(self, sha256: str) -> Row | None:
        """The row of these bytes."""
        return self._rows.get(sha256)

    def find(self, kind: str, name: str) -> dict[int, Row]:
        """Versions of one document, deleted ones too."""
        return {row.version: row for row in self if (row.kind, row.name) == (kind, name)}

    def holds(self) -> list[Row]:
        """Holds that were not released: while there is one, nothing is deleted."""
        return [row for row in self if row.kind == HOLD and row.state == "held"]
