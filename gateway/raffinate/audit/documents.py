"""Licences, regimes and papers that the log states: their bytes, and who vouches for them. Pure.

A document counts when the policy lists the SHA-256 of its bytes, or one of its issuer keys signed
exactly these bytes. What nobody vouches for is shown and shows nothing.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.audit.ledger import DAY_MS
from raffinate.audit.result import LicenceSeen, PaperSeen
from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.licence.document import Licence, parse_licence
from raffinate.licence.papers import Paper, Vouched, parse_paper
from raffinate.licence.regime import Regime, parse_regime

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Result
    from raffinate.licence.facts import By

PAPERS_MAX = 10_000
LISTED_MAX = 10_000
REGIME, ATTACHMENT = "regime", "attachment"
_SIGNED_BYTES_MAX = 1 << 21


@dataclass(slots=True)
class _Stated:
    """One version of a document as stated; `value` None: not readable."""

    by: By
    value: Paper | Regime | None
    deleted: bool = False


class Documents:
    """Takes `licence` and `document` statements in the order of the log.

    `changes` grows by one with each version of a licence or document that takes force.
    """

    def __init__(self, policy: Policy, read: Callable[[str], bytes | None], result: Result) -> None:
        self._policy = policy
        self._read = read
        self._result = result
        self._licences: dict[str, Licence | None] = {}
        self._by: dict[str, By] = {}
        self._of: dict[str, list[Licence]] = {}
        self._stated: dict[str, _Stated] = {}
        self._newest: dict[tuple[str, str], tuple[int, str]] = {}
        self._holds: set[str] = set()
        self._absent: dict[str, tuple[int, str]] = {}
        self._replaced_ms: dict[str, int] = {}
        self._edges: list[int] = []
        self._listed: dict[str, Regime] | None = None
        self._regimes: tuple[Regime, ...] | None = None
        self._papers: tuple[Vouched, ...] | None = ()
        self.changes = 0

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """The newest version of each regime that somebody vouches for."""
        if self._regimes is None:
            found = dict(self._unstated())
            for item in self._stated.values():
                if isinstance(item.value, Regime) and item.by is not None and not item.deleted:
                    found[item.value.id] = item.value
            self._regimes = tuple(found.values())
        return self._regimes

    @property
    def papers(self) -> tuple[Vouched, ...]:
        """Every version of each paper; which replaces which the engine says."""
        if self._papers is None:
            self._papers = tuple(
                Vouched(item.value, item.by)
                for item in self._stated.values()
                if isinstance(item.value, Paper) and not item.deleted
            )
        return self._papers

    def licences(self, serial: str | None) -> list[Licence]:
        """Licences of a machine that the log has named so far."""
        return [] if serial is None else self._of.get(serial, [])

    def by(self, digest: str) -> By:
        """Who vouches for a licence that was named."""
        return self._by.get(digest)

    def is_newest(self, licence: Licence, at_ms: int | None = None) -> bool:
        """True when no version that replaces it, and that somebody vouches for, was stated."""
        since_ms = self._replaced_ms.get(licence.sha256)
        return since_ms is None or (at_ms is not None and at_ms < since_ms)

    def divides(self, from_ms: int, to_ms: int) -> bool:
        """True when a UTC day, or a licence's begin, end or grace, lies within (from, to)."""
        if from_ms // DAY_MS != (to_ms - 1) // DAY_MS:
            return True
        place = bisect_right(self._edges, from_ms)
        return place < len(self._edges) and self._edges[place] < to_ms

    def licence(self, digest: str, index: int, equipment: str | None, at_ms: int) -> Licence | None:
        """The licence of a digest stated at `at_ms`.

        A finding once when the policy or the bundle has it not.
        """
        if digest in self._licences:
            return self._licences[digest]
        data = self._bytes(f"licences/{digest}.toml", digest)
        licence = None
        try:
            licence = None if data is None else parse_licence(f"licences/{digest}.toml", data)
        except ConfigError:
            licence = None
        self._licences[digest] = licence
        self.changes += 1
        name = licence.equipment if licence is not None else equipment
        if licence is None:
            self._result.add("LICENCE-ABSENT", digest, index=index, equipment=name)
        by = self._by[digest] = self._vouched("licences", digest, data, dsse.LICENCE)
        if by is None:
            for serial in licence.serials if licence is not None else (equipment,):
                self._result.add("LICENCE-UNAUTHENTICATED", digest, index=index, equipment=serial)
        self._result.licences[digest] = LicenceSeen(digest, licence, by)
        if licence is not None:
            for serial in licence.serials:
                self._of.setdefault(serial, []).append(licence)
            if licence.replaces is not None and by is not None:
                self._replaced_ms.setdefault(licence.replaces, at_ms)
            ends_ms = licence.ends_ms
            for edge_ms in (licence.from_ms, ends_ms, ends_ms + licence.grace_ms):
                insort(self._edges, edge_ms)
        return licence

    def state(self, index: int, body: dict[str, Any]) -> None:
        """A version that the gateway states as added or deleted, or a hold put or released."""
        action, name = body["action"], body["name"]
        detail = f"{action} of {body['kind']} {name} version {body['version']}, {body['sha256']}"
        known = self._stated.get(body["sha256"])
        if action == "add":
            if known is None:
                self._add(index, body, detail)
            elif known.deleted:
                known.deleted = False
                self._forget()
        elif action == "hold":
            self._holds.add(name)
        elif action == "release" and name in self._holds:
            self._holds.remove(name)
        elif action == "delete" and known is not None:
            if self._holds:
                self._result.add("DOCUMENT-HELD", detail, index=index)
            known.deleted = True
            self._forget()
        else:
            self._result.add("DOCUMENT-ORDER", detail, index=index)

    def _add(self, index: int, body: dict[str, Any], detail: str) -> None:
        key, digest = (body["kind"], body["name"]), body["sha256"]
        version, before = self._newest.get(key, (0, None))
        if (body["version"], body["replaces"]) != (version + 1, before):
            self._result.add("DOCUMENT-ORDER", detail, index=index)
        if body["version"] > version:
            self._newest[key] = body["version"], digest
        if len(self._stated) >= PAPERS_MAX:
            self._result.add("DOCUMENT-ABSENT", f"{detail}: one of too many", index=index)
            return
        if key[0] == ATTACHMENT:  # kept at the plant, and known by its digest alone
            self._stated[digest] = _Stated(None, None)
            return
        folder = "regimes" if key[0] == REGIME else "documents"
        data = self._bytes(f"{folder}/{digest}.toml", digest)
        value = _parse(f"{folder}/{digest}.toml", data, key, body["version"])
        by = self._vouched(folder, digest, data, dsse.DOCUMENT)
        self._stated[digest] = _Stated(by, value)
        self._forget()
        if value is None:
            self._absent[digest] = index, detail
        elif by is None and key[0] != "acknowledgement":
            self._result.add("DOCUMENT-UNAUTHENTICATED", detail, index=index)
        paper = value if isinstance(value, Paper) else None
        seen = PaperSeen(*key, body["version"], digest, index, by, value is not None, paper)
        self._result.papers.append(seen)

    def finish(self) -> None:
        """Documents whose bytes are missed; those of deleted ones are not."""
        for digest, (index, detail) in self._absent.items():
            if not self._stated[digest].deleted:
                self._result.add("DOCUMENT-ABSENT", detail, index=index)

    def _unstated(self) -> dict[str, Regime]:
        """Regimes that the policy lists and the bundle has, whether the log states them or not."""
        if self._listed is None:
            self._listed = {}
            for digest in sorted(self._policy.licences)[:LISTED_MAX]:
                path = f"regimes/{digest}.toml"
                try:
                    data = self._bytes(path, digest)
                    regime = None if data is None else parse_regime(path, data)
                except ConfigError:
                    regime = None
                known = None if regime is None else self._listed.get(regime.id)
                if regime is not None and (
                    known is None or known.as_of.start_ms < regime.as_of.start_ms
                ):
                    self._listed[regime.id] = regime
        return self._listed

    def _forget(self) -> None:
        self._regimes = self._papers = None
        self.changes += 1

    def _bytes(self, path: str, digest: str) -> bytes | None:
        data = self._read(path)
        return data if data is not None and sha256(data).hexdigest() == digest else None

    def _vouched(self, folder: str, digest: str, data: bytes | None, kind: bytes) -> By:
        if digest in self._policy.licences:
            return "list"
        signed = self._read(f"{folder}/{digest}.dsse") if self._policy.issuers else None
        if signed is None or data is None:
            return None
        try:
            envelope = dsse.decode_envelope(signed, _SIGNED_BYTES_MAX)
            if (envelope.payload_type, envelope.payload) != (kind, data):
                return None
            for spki in self._policy.issuers:
                if sha256(spki).hexdigest() == envelope.keyid:
                    dsse.verify(envelope, dsse.public_key(spki))
                    return "signature"
        except RejectedError:
            return None
        return None


def _parse(
    path: str, data: bytes | None, key: tuple[str, str], version: int
) -> Paper | Regime | None:
    """The document, if it is the one that was stated."""
    if data is None:
        return None
    try:
        if key[0] == REGIME:
            regime = parse_regime(path, data)
            return regime if regime.id == key[1] else None
        paper = parse_paper(path, data)
    except ConfigError:
        return None
    return paper if (paper.kind, paper.id, paper.version) == (*key, version) else None
