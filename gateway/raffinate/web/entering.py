"""What people enter on the page, handed to the gateway as commands do it: by its inbox."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.handover import read_only
from raffinate.evidence.petition import ask_gateway
from raffinate.evidence.register import ROW
from raffinate.licence.document import Licence
from raffinate.licence.papers import Paper, Party
from raffinate.licence.registrar import parse_any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from raffinate.web.registry_shape import DocumentJson, RegistryJson, TakenJson

WAIT_S = 20.0
DOCUMENTS_SHOWN_MAX = 2000
TOLD_MAX = 4096
AUTH = "none: a name typed on the page of this machine"
SIGNED_BYTES_MAX = 1 << 21
KEPT = ("document", "licence", "regime")


class GatewayEntries:
    """Implements `providers.Entries` over the inbox and the database of a gateway's data folder.

    The database is only read; what is entered goes the way that commands go.
    """

    def __init__(self, keys: Path, data: Path, time_ms: Callable[[], int]) -> None:
        self._keys = keys
        self._data = data
        self._time_ms = time_ms
        # By the SHA-256 of bytes that never change.
        self._told: dict[str, tuple[int | None, str]] = {}

    def acknowledge(self, equipment: str, state: str, actor: str) -> dict[str, Any]:
        """See `providers.Entries`."""
        said = self._ask("acknowledge", actor, {"equipment": equipment, "state": state}, ())
        return {"index": said["index"], "sha256": said["sha256"]}

    def add(self, data: bytes, actor: str) -> TakenJson:
        """See `providers.Entries`."""
        item = {"as": "document", "sha256": sha256(data).hexdigest(), "file": "document"}
        said = self._ask("document", actor, {"action": "add", "items": [item]}, (data,))
        found: TakenJson = said["documents"][0]
        return found

    def registry(self) -> RegistryJson:
        """See `providers.Entries`."""
        with read_only(self._data) as connection:
            rows = [
                orjson.loads(value)
                for (value,) in connection.execute(
                    "SELECT value FROM state WHERE name GLOB ?", (f"{ROW}*",)
                )
            ]
            rows.sort(key=lambda row: row["index"], reverse=True)
            shown = rows[:DOCUMENTS_SHOWN_MAX]
            signers = _signers(connection)
            documents = [self._document(connection, row, signers) for row in shown]
        newest: set[tuple[str, str]] = set()
        for document in documents:
            key = (document["kind"], document["name"])
            document["newest"] = key not in newest
            newest.add(key)
        return {"documents": documents, "total": len(rows), "suggestions": []}

    def document(self, sha256: str) -> tuple[str, bytes] | None:
        """See `providers.Entries`."""
        with read_only(self._data) as connection:
            row = connection.execute(
                "SELECT kind, data FROM documents WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return None if row is None or row[0] not in KEPT else (row[0], bytes(row[1]))

    def _document(
        self, connection: sqlite3.Connection, row: dict[str, Any], signers: dict[str, list[str]]
    ) -> DocumentJson:
        """A row of the register with what its bytes tell."""
        digest = row["sha256"]
        told = self._told.get(digest)
        if told is None:
            data = _kept(connection, digest)
            told = (None, "") if data is None else _read(data)
            if len(self._told) >= TOLD_MAX:
                self._told.clear()
            self._told[digest] = told
        found: Any = {
            **row,
            "version": told[0] or row["version"],
            "newest": False,
            "signed_by": signers.get(digest, []),
            "title": told[1],
        }
        return found  # type: ignore[no-any-return]

    def _ask(
        self, kind: str, actor: str, body: dict[str, Any], documents: Iterable[bytes]
    ) -> dict[str, Any]:
        named = {"id": actor, "role": "operator", "auth": AUTH}
        return ask_gateway(
            self._keys, self._data, kind, named, body, list(documents), WAIT_S, self._time_ms()
        )


def _signers(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Key ids of the signatures kept, by the SHA-256 of what they sign."""
    found: dict[str, list[str]] = {}
    query = "SELECT name, data FROM documents WHERE kind = 'signature'"
    for name, data in connection.execute(query):
        try:
            keyid = dsse.decode_envelope(bytes(data), SIGNED_BYTES_MAX).keyid
        except RejectedError:
            continue
        digest = name.rpartition("/")[2].removesuffix(".dsse")
        found.setdefault(digest, []).append(keyid)
    return found


def _kept(connection: sqlite3.Connection, digest: str) -> bytes | None:
    marks = ", ".join("?" * len(KEPT))
    row = connection.execute(
        f"SELECT data FROM documents WHERE sha256 = ? AND kind IN ({marks})",  # noqa: S608
        (digest, *KEPT),
    ).fetchone()
    return None if row is None else bytes(row[0])


def _read(data: bytes) -> tuple[int | None, str]:
    """(version, what people call it) of a document's bytes; a licence's row has no version."""
    try:
        document = parse_any("document", data)
    except ConfigError:
        return None, ""
    if isinstance(document, Licence):
        return document.version, f"of {document.issuer}"
    if isinstance(document, Paper) and isinstance(document.members, Party):
        return document.version, document.members.names[0]
    return None, ""
