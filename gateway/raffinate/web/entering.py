"""What people enter on the page, handed to the gateway as commands do it: by its inbox."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.handover import RefusedError, read_only
from raffinate.evidence.petition import ask_gateway
from raffinate.evidence.register import ROW
from raffinate.licence.regime import Regime
from raffinate.licence.registrar import parse_any
from raffinate.licence.shipped import shipped_regimes
from raffinate.registry import importing
from raffinate.registry.alike import find_alike, known_names
from raffinate.registry.holdings import read_holdings
from raffinate.registry.names import suggest
from raffinate.registry.shown import newest, title
from raffinate.registry.sources import Source

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from raffinate.licence.vouching import Vouching
    from raffinate.registry.holdings import Holding
    from raffinate.registry.names import Name
    from raffinate.web.registry_shape import DocumentJson, PartyJson, RegistryJson, TakenJson

WAIT_S = 20.0
DOCUMENTS_SHOWN_MAX = 2000
SIGNED_BYTES_MAX = 1 << 21
AUTH = "none: a name typed on the page of this machine"
KEPT = ("document", "licence", "regime")
_FILE = Path("document")


@dataclass(frozen=True, slots=True)
class _Read:
    """The registry as it was at `stamp`, judged by `vouching`."""

    stamp: str
    vouching: Vouching | None
    holdings: list[Holding]
    names: list[Name]
    shown: RegistryJson


class GatewayEntries:
    """Implements `providers.Entries` over the inbox and the database of a gateway's data folder.

    The database is only read, and anew when it has changed; what is entered goes the way that
    commands go. `vouching`: what a copy of the auditor's policy says now; None without a copy.
    """

    def __init__(
        self,
        keys: Path,
        data: Path,
        time_ms: Callable[[], int],
        vouching: Callable[[], Vouching] | None = None,
    ) -> None:
        self._keys = keys
        self._data = data
        self._time_ms = time_ms
        self._vouching = vouching
        self._lock = Lock()
        self._last: _Read | None = None

    def acknowledge(self, equipment: str, state: str, actor: str) -> dict[str, Any]:
        """See `providers.Entries`."""
        said = self._ask("acknowledge", actor, {"equipment": equipment, "state": state}, ())
        return {"index": said["index"], "sha256": said["sha256"]}

    def add(self, data: bytes, actor: str) -> TakenJson:
        """See `providers.Entries`."""
        source = _source(data)
        said = self._ask("document", actor, *importing.request_of([source]))
        found: TakenJson = said["documents"][0]
        return found

    def check(self, data: bytes) -> list[str]:
        """See `providers.Entries`."""
        source = _source(data)
        holdings = self._read().holdings
        try:
            importing.check([source], holdings)
        except ConfigError as error:
            raise RefusedError(str(error)) from None
        known = [item for item in holdings if item.row.sha256 == source.sha256]
        notes = [f"it is there already: log entry {item.row.index}" for item in known]
        return notes + importing.dangling([source], holdings)

    def registry(self) -> RegistryJson:
        """See `providers.Entries`."""
        return self._read().shown

    def resolve(self, name: str) -> list[PartyJson]:
        """See `providers.Entries`."""
        return [
            {
                "name": item.name.text,
                "party": item.name.party,
                "what": item.name.what,
                "score": item.score,
            }
            for item in suggest(name, self._read().names)
        ]

    def document(self, sha256: str) -> tuple[str, bytes] | None:
        """See `providers.Entries`."""
        with read_only(self._data) as connection:
            row = connection.execute(
                "SELECT kind, data FROM documents WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return None if row is None or row[0] not in KEPT else (row[0], bytes(row[1]))

    def _read(self) -> _Read:
        """Every document is parsed for it, so that one thread does it for all who ask."""
        with self._lock:
            vouching = None if self._vouching is None else self._vouching()
            with read_only(self._data) as connection:
                stamp = _stamp(connection)
                last = self._last
                if last is not None and (last.stamp, last.vouching) == (stamp, vouching):
                    return last
                signed = _signatures(connection)
            holdings = read_holdings(self._data)
            names = known_names(holdings, _regimes(holdings))
            shown = _shown(holdings, signed, names, vouching)
            self._last = _Read(stamp, vouching, holdings, names, shown)
            return self._last

    def _ask(
        self, kind: str, actor: str, body: dict[str, Any], documents: Iterable[bytes]
    ) -> dict[str, Any]:
        named = {"id": actor, "role": "operator", "auth": AUTH}
        return ask_gateway(
            self._keys, self._data, kind, named, body, list(documents), WAIT_S, self._time_ms()
        )


def _source(data: bytes) -> Source:
    return Source(_FILE, data, parse_any(str(_FILE), data), None, converted=False)


def _stamp(connection: sqlite3.Connection) -> str:
    """Changes when a document comes, goes, or gets a signature."""
    rows = connection.execute(
        "SELECT value FROM state WHERE name GLOB ? ORDER BY name", (f"{ROW}*",)
    )
    digest = sha256()
    for (value,) in rows:
        digest.update(bytes(value))
    count = connection.execute("SELECT count(*), max(rowid) FROM documents").fetchone()
    return f"{digest.hexdigest()} {count}"


def _signatures(connection: sqlite3.Connection) -> dict[str, bytes]:
    """The envelope kept with a document, by the SHA-256 of what it signs."""
    query = "SELECT name, data FROM documents WHERE kind = 'signature'"
    return {
        name.rpartition("/")[2].removesuffix(".dsse"): bytes(data)
        for name, data in connection.execute(query)
    }


def _signer(envelope: bytes | None) -> str | None:
    """Its key id, which nobody has judged."""
    try:
        return None if envelope is None else dsse.decode_envelope(envelope, SIGNED_BYTES_MAX).keyid
    except RejectedError:
        return None


def _regimes(holdings: Iterable[Holding]) -> list[Regime]:
    """Those in use: imported ones take the place of the shipped ones of the same id."""
    imported = [item.document for item in newest(holdings) if isinstance(item.document, Regime)]
    ids = {regime.id for regime in imported}
    return [*imported, *(regime for regime in shipped_regimes() if regime.id not in ids)]


def _shown(
    holdings: list[Holding],
    signed: dict[str, bytes],
    names: list[Name],
    vouching: Vouching | None,
) -> RegistryJson:
    latest = {item.row.sha256 for item in newest(holdings)}
    ordered = sorted(holdings, key=lambda item: item.row.index, reverse=True)
    return {
        "documents": [
            _document(item, signed.get(item.row.sha256), vouching, item.row.sha256 in latest)
            for item in ordered[:DOCUMENTS_SHOWN_MAX]
        ],
        "total": len(holdings),
        "policy": vouching is not None,
        "problem": "" if vouching is None else vouching.problem,
        "suggestions": [
            {
                "name": one.name,
                "where": one.where,
                "like": one.other.text,
                "party": one.other.party,
                "what": one.other.what,
                "score": one.score,
            }
            for one in find_alike(holdings, names)
        ],
    }


def _document(
    item: Holding, envelope: bytes | None, vouching: Vouching | None, is_newest: bool
) -> DocumentJson:
    row = item.row
    by = None
    if vouching is not None and item.data is not None:
        by = vouching.by(row.sha256, item.data, envelope)
    found: Any = {
        "kind": row.kind,
        "name": row.name,
        "version": item.version,
        "sha256": row.sha256,
        "replaces": row.replaces,
        "index": None if row.index < 0 else row.index,
        "time_ms": None if row.index < 0 else row.time_ms,
        "state": row.state,
        "changed": None if row.changed < 0 else row.changed,
        "newest": is_newest,
        "vouched": by,
        "signed_by": _signer(envelope),
        "title": title(item),
    }
    return found  # type: ignore[no-any-return]
