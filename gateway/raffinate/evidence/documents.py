"""Requests about documents: add a set, put or release a hold, delete one (docs/registry.md).

Everything of a request is checked before anything of it is signed, so that a set is taken whole or
not at all; what is known already is answered with its place in the log and not stated again.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from raffinate.errors import RaffinateError, RejectedError
from raffinate.evidence import dsse, salted
from raffinate.evidence.register import ATTACHMENT, HOLD, LICENCE, ROWS_MAX, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from raffinate.evidence.intake import SignGateway
    from raffinate.evidence.register import Register
    from raffinate.evidence.requests import Request
    from raffinate.evidence.store import Store
    from raffinate.evidence.work import Work

DOCUMENTS_BYTES_MAX = 256 << 20
SIGNED_BYTES_MAX = 1 << 21
REGIME, PRIVATE = "regime", "private"
FOLDERS = {LICENCE: "licences", REGIME: "regimes"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHARS_SHOWN = 80
_STAY = (LICENCE, REGIME, HOLD)


class Listed(NamedTuple):
    """What a document calls itself."""

    kind: str
    name: str
    version: int
    replaces: str | None


class Registrar(Protocol):
    """Reads documents' forms and knows how long they are kept. Lies above this module."""

    def read(self, file: str, data: bytes, now_ms: int) -> Listed:
        """What a licence, paper or regime calls itself. Raises RaffinateError for a bad form."""

    def kept_until(
        self, data: bytes, added_ms: int, licences: Iterable[bytes], regimes: Iterable[bytes]
    ) -> tuple[int | None, str]:
        """(instant before which a document may not be deleted, why); None: nobody knows when.

        `licences` and `regimes` are the files that are kept.
        """


class _Plan(NamedTuple):
    listed: Listed
    sha256: str
    data: bytes
    kept_as: str
    place: str
    known: Row | None


class Documents:
    """Acts on requests of kind `document`; `load` it with what the service loaded."""

    def __init__(self, register: Register, sign: SignGateway) -> None:
        self._register = register
        self._sign = sign
        self.registrar: Registrar | None = None

    def load(self, store: Store) -> None:
        """Work on what the service loaded."""
        self._store = store

    def act(self, request: Request, work: Work) -> dict[str, Any]:
        """What the answer says. Raises RaffinateError; then nothing was stated."""
        if self.registrar is None:
            raise RejectedError("request", "this gateway takes no documents")
        acts: dict[str, Callable[[Request, Registrar, Work], dict[str, Any]]] = {
            "add": self._add,
            "hold": self._hold,
            "release": self._release,
            "delete": self._delete,
        }
        act = acts.get(str(request.body.get("action")))
        if act is None:
            raise RejectedError("request", "the request asks for no action that is known")
        return act(request, self.registrar, work)

    def _add(self, request: Request, registrar: Registrar, work: Work) -> dict[str, Any]:
        items = _items(request)
        plans = [
            self._plan(item, request, registrar, work)
            for item in items
            if item["as"] != "signature"
        ]
        plans.sort(key=lambda plan: plan.listed[:3])
        self._check_versions(plans, registrar)
        signatures = [
            self._signature(item, request, plans) for item in items if item["as"] == "signature"
        ]
        new = [plan for plan in plans if plan.known is None or plan.known.state == "deleted"]
        files = [(plan.kept_as, plan.data) for plan in new]
        self._check_room([*files, *((row[1], row[3]) for row in signatures)], len(new))
        for plan in new:
            self._state(plan, "add", request, work)
            work.documents.append((plan.sha256, plan.kept_as, plan.place, plan.data))
        work.documents += signatures
        told = {plan.sha256 for plan in new}
        return {
            "documents": [
                {
                    "kind": plan.listed.kind,
                    "name": plan.listed.name,
                    "version": plan.listed.version,
                    "sha256": plan.sha256,
                    "index": self._index(plan.sha256),
                    "known": plan.sha256 not in told,
                }
                for plan in plans
            ],
            "signatures": len(signatures),
        }

    def _check_room(self, files: Iterable[tuple[str, bytes]], rows: int) -> None:
        private = shown = 0
        for kept_as, data in files:
            private += len(data) if kept_as == PRIVATE else 0
            shown += len(data) if kept_as != PRIVATE else 0
        if (
            self._store.private_bytes() + private > salted.KEPT_BYTES_MAX
            or self._store.registry_bytes() + shown > DOCUMENTS_BYTES_MAX
            or len(self._register) + rows > ROWS_MAX
        ):
            raise RejectedError(
                "full",
                f"the registry is full: {ROWS_MAX} versions, {DOCUMENTS_BYTES_MAX >> 20} MiB, or "
                f"{salted.KEPT_BYTES_MAX >> 20} MiB of salted files",
            )

    def _plan(
        self, item: dict[str, Any], request: Request, registrar: Registrar, work: Work
    ) -> _Plan:
        digest = item["sha256"]
        data = request.documents[digest]
        known = self._register.get(digest)
        if item["as"] == ATTACHMENT:
            name = item.get("name")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise RejectedError("request", f"an attachment has no usable name: {name!r}"[:200])
            salted.open_salted(data)
            listed = self._next(ATTACHMENT, name, known)
            return _Plan(listed, digest, data, PRIVATE, f"private/{digest}", known)
        listed = registrar.read(_file(item), data, work.now_ms)
        if listed.kind == REGIME:
            listed = self._next(REGIME, listed.name, known)
        folder = FOLDERS.get(listed.kind, "documents")
        kept_as = listed.kind if listed.kind in FOLDERS else "document"
        if known is None and self._store.document(digest) is not None:
            known = Row(*listed[:3], digest, listed.replaces, 0, 0, "kept", 0)
        return _Plan(listed, digest, data, kept_as, f"{folder}/{digest}.toml", known)

    def _next(self, kind: str, name: str, known: Row | None) -> Listed:
        """An attachment or a regime has no version of its own: it follows the newest one."""
        if known is not None:
            return Listed(known.kind, known.name, known.version, known.replaces)
        before = self._register.find(kind, name)
        if not before:
            return Listed(kind, name, 1, None)
        newest = before[max(before)]
        return Listed(kind, name, newest.version + 1, newest.sha256)

    def _check_versions(self, plans: list[_Plan], registrar: Registrar) -> None:
        known = {row.key: row.sha256 for row in self._register if row.kind != LICENCE}
        if any(plan.listed.kind == LICENCE for plan in plans):
            known.update(self._licence_versions(registrar))
        check_versions(known, [(plan.listed, plan.sha256) for plan in plans])

    def _licence_versions(self, registrar: Registrar) -> dict[tuple[str, str, int], str]:
        found = {}
        for digest, data in self._store.kept(LICENCE):
            with suppress(RaffinateError):  # an older program may have taken what this one does not
                found[registrar.read(f"licences/{digest}.toml", data, 0)[:3]] = digest
        return found

    def _signature(
        self, item: dict[str, Any], request: Request, plans: list[_Plan]
    ) -> tuple[str, str, str, bytes]:
        """The row to keep of a signature, whose form is checked; whose it is auditors judge."""
        data = request.documents[item["sha256"]]
        plan = next((plan for plan in plans if plan.sha256 == item.get("of")), None)
        if plan is None:
            raise RejectedError("request", "a signature is of no document of this request")
        envelope = dsse.decode_envelope(data, SIGNED_BYTES_MAX)
        wanted = dsse.LICENCE if plan.listed.kind == LICENCE else dsse.DOCUMENT
        if (envelope.payload_type, envelope.payload) != (wanted, plan.data):
            raise RejectedError(
                "signature", f"{_file(item)} signs other bytes or as another type than its document"
            )
        dsse.check_form(envelope)
        place = plan.place.removesuffix(".toml") + ".dsse"
        return item["sha256"], "signature", place, data

    def _hold(self, request: Request, _: Registrar, work: Work) -> dict[str, Any]:
        name, digest = request.body.get("name"), request.body.get("reason")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise RejectedError("request", "a hold has no name that can be used")
        if digest not in request.documents or not isinstance(digest, str):
            raise RejectedError("request", "the hold's reason is not with the request")
        before = self._register.find(HOLD, name)
        if before:
            row = before[max(before)]
            raise RejectedError(
                "hold", f"hold {name} is {row.state} already (entry {row.changed}); choose another"
            )
        self._check_room([(PRIVATE, data) for data in request.documents.values()], 1)
        listed = Listed(HOLD, name, 1, None)
        self._state(_Plan(listed, digest, b"", "", "", None), "hold", request, work)
        for kept, data in request.documents.items():
            work.documents.append((kept, PRIVATE, f"private/{kept}", data))
        return {"index": self._index(digest), "name": name}

    def _release(self, request: Request, _: Registrar, work: Work) -> dict[str, Any]:
        name = str(request.body.get("name"))[:_CHARS_SHOWN]
        row = next((row for row in self._register.holds() if row.name == name), None)
        if row is None:
            held = ", ".join(row.name for row in self._register.holds()) or "none"
            raise RejectedError("hold", f"no hold {name} is in force; in force: {held}")
        listed = Listed(HOLD, name, 1, None)
        self._state(_Plan(listed, row.sha256, b"", "", "", row), "release", request, work)
        return {"index": work.first + len(work.entries) - 1, "name": name}

    def _delete(self, request: Request, registrar: Registrar, work: Work) -> dict[str, Any]:
        row = self._register.get(str(request.body.get("sha256")))
        if row is None or row.state != "kept":
            raise RejectedError("unknown", "no such document is kept")
        title = f"{row.kind} {row.name} version {row.version}"
        if row.kind in _STAY:
            raise RejectedError("kept", f"{title} stays: verdicts rest on licences and regimes")
        holds = self._register.holds()
        if holds:
            names = ", ".join(hold.name for hold in holds)
            raise RejectedError("hold", f"{title} stays: in force is the hold {names}")
        data = self._store.document(row.sha256)
        if data is None:
            raise RejectedError("unknown", f"the bytes of {title} are not here")
        listed = Listed(row.kind, row.name, row.version, row.replaces)
        kept = ([content for _, content in self._store.kept(kind)] for kind in (LICENCE, REGIME))
        until_ms, rule = registrar.kept_until(data, row.time_ms, *kept)
        if until_ms is None or work.now_ms < until_ms:
            raise RejectedError("kept", f"{title} stays: {rule}")
        self._state(_Plan(listed, row.sha256, data, "", "", row), "delete", request, work)
        work.removed.append(row.sha256)
        return {"index": work.first + len(work.entries) - 1, "sha256": row.sha256, "rule": rule}

    def _state(self, plan: _Plan, action: str, request: Request, work: Work) -> None:
        kind, name, version, replaces = plan.listed
        said: dict[str, Any] = {"sha256": plan.sha256, "replaces": replaces, "actor": request.actor}
        if kind == LICENCE:
            self._sign("licence", [(plan.place, plan.sha256)], {"licence": name, **said}, work)
            return
        said.update(kind=kind, name=name, version=version, action=action)
        self._sign("document", [(f"{kind}/{name}", plan.sha256)], said, work)

    def _index(self, digest: str) -> int | None:
        row = self._register.get(digest)
        return None if row is None else row.index


def check_versions(
    known: Mapping[tuple[str, str, int], str], items: Iterable[tuple[Listed, str]]
) -> None:
    """Refuse a version that is there with other bytes, or follows another than it names.

    `known` and `items` have SHA-256; items may follow each other. Raises RejectedError.
    """
    held = dict(known)
    for listed, digest in sorted(items, key=lambda item: item[0][:3]):
        kind, name, version, replaces = listed
        title = f"{kind} {name} version {version}"
        if held.setdefault((kind, name, version), digest) != digest:
            raise RejectedError(
                "version",
                f"{title} is there already with other bytes, SHA-256 "
                f"{held[kind, name, version]}; give these the next version and `replaces`",
            )
        before = held.get((kind, name, version - 1))
        if version > 1 and before != replaces and (kind, name, version) not in known:
            found = "is not there" if before is None else f"has SHA-256 {before}"
            raise RejectedError(
                "version",
                f"{title} replaces {replaces}, but version {version - 1} {found}; import that "
                "one first, or mend `replaces`",
            )


def _items(request: Request) -> list[dict[str, Any]]:
    """The request's items: each has its bytes with it, and none comes twice."""
    items = request.body.get("items")
    if not isinstance(items, list) or not items:
        raise RejectedError("request", "the request names no documents")
    seen = set()
    for item in items:
        if (
            not isinstance(item, dict)
            or item.get("as") not in ("document", ATTACHMENT, "signature")
            or not isinstance(item.get("sha256"), str)
            or not _DIGEST.fullmatch(item["sha256"])
            or item["sha256"] not in request.documents
            or item["sha256"] in seen
        ):
            raise RejectedError("request", f"an item is not as documented: {str(item)[:80]}")
        seen.add(item["sha256"])
    return items


def _file(item: dict[str, Any]) -> str:
    """The file's name, for messages."""
    return str(item.get("file", item["sha256"]))[:_CHARS_SHOWN]
