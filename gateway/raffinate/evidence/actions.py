"""What the gateway does besides taking statements of nodes: orders, requests, closes, its watch.

Called by the service on its one thread, with the Work that becomes one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RejectedError
from raffinate.evidence import acknowledging, denials, dsse, inbox, notes, period, requests, views
from raffinate.evidence.documents import Documents
from raffinate.evidence.register import Register
from raffinate.evidence.roster import Standing
from raffinate.evidence.salted import KEPT_BYTES_MAX
from raffinate.evidence.statement import parse_statement
from raffinate.evidence.watch import Watch
from raffinate_wire.errors import WireError
from raffinate_wire.statement import format_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from raffinate.evidence.intake import Intake, SignGateway
    from raffinate.evidence.requests import Request
    from raffinate.evidence.store import Key, Store, StoredPermit
    from raffinate.evidence.watch import Surroundings
    from raffinate.evidence.work import Work
    from raffinate.keys import GatewayKeys
    from raffinate.model import Plant
    from raffinate.tlog.sequencer import Sequencer

DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000
_SIZE_DIGITS = 10**15


class Actions:
    """`load` it with what the service loaded; then `accept`, `observe` and `tick`.

    `shown` is an equipment of the newest snapshot.
    """

    def __init__(
        self, plant: Plant, sign: SignGateway, shown: Callable[[str], Mapping[str, Any] | None]
    ) -> None:
        self._plant = plant
        self._sign = sign
        self.register = Register()
        self.documents = Documents(self.register, sign)
        self._shown = shown
        self._watch: Watch | None = None
        self._close_hour: int | None = None

    def load(self, store: Store, intake: Intake, log: Sequencer) -> None:
        """State as it stands in the database."""
        self._store, self._intake, self._log = store, intake, log
        self._state = store.state()
        self.register.load(self._state)
        self.documents.load(store)
        if self._watch is not None:
            self._watch.reload(self._state)

    def start(self, around: Surroundings, work: Work) -> None:
        """Watch from now on; state what happened while no gateway ran."""
        self._watch = Watch(self._plant, around, self._state, self._sign)
        self._close_hour = around.close_hour_utc
        self._watch.start(work)

    @property
    def memory(self) -> Mapping[str, Any]:
        """What the gateway remembers of itself."""
        return self._state

    @property
    def watching(self) -> bool:
        """True for a running gateway."""
        return self._watch is not None

    def stop(self, work: Work) -> None:
        """State an orderly stop."""
        if self._watch is not None:
            self._watch.stop(work)

    def accept(
        self, data: bytes, keys: GatewayKeys, has_private: Callable[[str, str], bool], work: Work
    ) -> dict[str, Any]:
        """One file of the inbox; what the answer says. Raises RaffinateError."""
        if dsse.decode_envelope(data, requests.REQUEST_BYTES_MAX).payload_type != requests.REQUEST:
            return inbox.accept(data, self._plant, self._intake, has_private, work)
        request = requests.read_request(data, keys, work.now_ms)
        known = self._store.request(request.id)
        known = known or next(
            (orjson.loads(answer) for name, _, answer in work.requests if name == request.id), None
        )
        if known is not None:
            return known
        answer = {
            "activity": self._activity,
            "acknowledge": self._acknowledge,
            "document": self._document,
            "export": self._export,
            "close": self._close,
        }[request.kind](request, keys, work)
        work.requests.append((request.id, work.now_ms, orjson.dumps(answer)))
        return answer

    def observe(self, work: Work, permits: Mapping[tuple[str, str], StoredPermit]) -> None:
        """Look at what was just taken, before it is committed."""
        if self._watch is not None:
            self._watch.heard(work)
            denials.observe(work, permits)

    def tick(self, work: Work, keys: GatewayKeys, current: Iterable[Key], now_ms: int) -> None:
        """What time makes due; nothing for a service that no running gateway watches."""
        if self._watch is None:
            return
        current = list(current)
        self._watch.tick(work, [key for key in current if not key.revoked], now_ms)
        denials.state(work, current, self._sign)
        if self._close_hour is not None:
            since_ms = self._closed()["toMs"]
            shift_ms = self._close_hour * HOUR_MS
            due_ms = (work.now_ms - shift_ms) // DAY_MS * DAY_MS + shift_ms
            if due_ms > since_ms:
                self._close_period(since_ms, due_ms, {}, {}, keys, work)

    def _activity(self, request: Request, _: GatewayKeys, work: Work) -> dict[str, Any]:
        body = request.body
        item = self._plant.equipment.get(str(body.get("equipment")))
        if item is None:
            raise RejectedError("equipment", f"plant.toml has no equipment {body.get('equipment')}")
        for name in ("workOrder", "details"):
            digest = body.get(name)
            known = digest is None or digest in request.documents
            if not known and not (name == "workOrder" and self._is_order(digest)):
                raise RejectedError("request", f"the document of {name} is not with the request")
        size = sum(map(len, request.documents.values()))
        if self._store.private_bytes() + size > KEPT_BYTES_MAX:
            raise RejectedError("full", f"over {KEPT_BYTES_MAX >> 20} MiB of documents are kept")
        try:
            descriptor = views.sha256_hex(item.descriptor.read_bytes())
        except OSError as error:
            raise RejectedError("equipment", f"{item.descriptor}: {error.strerror}") from None
        subject = [(f"equipment/{item.id}.toml", descriptor)]
        index = self._sign("activity", subject, {**body, "actor": request.actor}, work)
        work.state["activities"] = notes.note_activity(self._state, body, index)
        for digest, document in request.documents.items():
            work.documents.append((digest, "private", f"private/{digest}", document))
        return {"index": index}

    def _is_order(self, digest: Any) -> bool:
        """True for a work-order paper that is kept."""
        row = self.register.get(digest) if isinstance(digest, str) else None
        return row is not None and (row.kind, row.state) == ("work-order", "kept")

    def _acknowledge(self, request: Request, _: GatewayKeys, work: Work) -> dict[str, Any]:
        """State that an operator takes note of a machine's state, as `shown` says it stands."""
        body = request.body
        item = self._plant.equipment.get(str(body.get("equipment")))
        if item is None:
            raise RejectedError("equipment", f"plant.toml has no equipment {body.get('equipment')}")
        shown = self._shown(item.id)
        now = () if shown is None else acknowledging.acknowledgeable(shown)
        state = body.get("state")
        if state not in now or shown is None:
            raise RejectedError(
                "state",
                f"{item.id} is not in the state {state}; to acknowledge there is now: "
                f"{', '.join(now) or 'nothing'}",
            )
        licence = None if shown["licence"] is None else shown["licence"]["sha256"]
        who = request.actor["id"]
        name, data = acknowledging.make(item, state, who, licence, work.now_ms)
        said = acknowledging.statement_of(name, data, request.actor)
        digest = said["sha256"]
        index = self._sign("document", [(f"acknowledgement/{name}", digest)], said, work)
        work.documents.append((digest, "document", f"documents/{digest}.toml", data))
        kept = {"state": state, "who": who, "time_ms": work.now_ms, "index": index}
        kept.update(sha256=said["sha256"], licence=licence)
        acknowledging.remember(self._state, item.id, kept, work)
        return {"index": index, "sha256": said["sha256"]}

    def _document(self, request: Request, _: GatewayKeys, work: Work) -> dict[str, Any]:
        return self.documents.act(request, work)

    def _export(self, request: Request, keys: GatewayKeys, work: Work) -> dict[str, Any]:
        body = request.body
        specific = {
            "action": "export",
            "object": body.get("manifest"),
            "before": None,
            "after": None,
            "fromMs": body.get("fromMs"),
            "toMs": body.get("toMs"),
            "actor": request.actor,
        }
        return {"index": self._sign("admin", _own(keys), specific, work)}

    def _close(self, request: Request, keys: GatewayKeys, work: Work) -> dict[str, Any]:
        body = request.body
        minutes = body.get("hourMeters") or {}
        unknown = sorted(set(minutes) - set(self._plant.equipment))
        if unknown:
            raise RejectedError("equipment", f"plant.toml has no equipment {unknown[0]}")
        from_ms = self._closed()["toMs"] if body.get("fromMs") is None else body["fromMs"]
        to_ms = work.now_ms if body.get("toMs") is None else body["toMs"]
        if not 0 <= from_ms <= to_ms <= work.now_ms:
            raise RejectedError("period", "a period begins before its end, and ends by now")
        specific = {"actor": request.actor}
        return self._close_period(from_ms, to_ms, minutes, specific, keys, work)

    def _close_period(
        self,
        from_ms: int,
        to_ms: int,
        minutes: Mapping[str, int],
        specific: Mapping[str, Any],
        keys: GatewayKeys,
        work: Work,
    ) -> dict[str, Any]:
        start, end = self._closed()["to"], work.first + len(work.entries)

        def members(nodes: list[dict[str, Any]], late: list[int]) -> dict[str, Any]:
            times = {"from": start, "to": end, "fromMs": from_ms, "toMs": to_ms}
            place = {"part": period.PARTS_MAX, "parts": period.PARTS_MAX}
            return {**specific, **times, **place, "nodes": nodes, "late": late}

        def fits(nodes: list[dict[str, Any]], late: list[int]) -> bool:
            return _has_room(keys, members(nodes, late))

        found = period.parts(
            self._intake.keys.values(), self._newest_good, self._plant, minutes, fits, work
        )
        indices = []
        for number, part in enumerate(found):
            said = members(part["nodes"], part["late"])
            said.update(part=number + 1, parts=len(found))
            indices.append(self._sign("period-close", _own(keys), said, work))
        self._state["close"] = work.state["close"] = {"to": end, "toMs": to_ms}
        return {"index": indices[0], "indices": indices, "from": start, "to": end}

    def _closed(self) -> dict[str, int]:
        """Where the close before ended; at first the log's begin."""
        known: dict[str, int] | None = self._state.get("close")
        if known is None:
            first = parse_statement(dsse.decode_envelope(self._log.entry(0)).payload)
            known = {"to": 0, "toMs": first.body["timeMs"]}
        return known

    def _newest_good(self, key: Key) -> tuple[int, str, period.Registers] | None:
        if not key.revoked:
            if key.chain.seq == 0:
                return None
            return key.chain.seq, key.chain.head.hex(), _tuples(key.info.get("registers", {}))
        standing = Standing.of(key)
        row = self._store.newest(key.id, standing.last, standing.before)
        if row is None:
            return None
        statement = parse_statement(dsse.decode_envelope(self._log.entry(row[1])).payload)
        return row[0], self._log.leaf(row[1]).hex(), statement.registers()


def _tuples(registers: Mapping[str, Any]) -> period.Registers:
    return {name: tuple(values) for name, values in registers.items()}


def _own(keys: GatewayKeys) -> list[tuple[str, str]]:
    return [("key/gateway", keys.gateway.keyid)]


def _has_room(keys: GatewayKeys, members: dict[str, Any]) -> bool:
    """True when a close of these members is a statement, with every number at its largest."""
    common = {
        "log": keys.origin,
        "site": keys.site,
        "node": "gateway",
        "keyid": keys.gateway.keyid,
        "seq": _SIZE_DIGITS,
        "prev": "0" * 64,
        "timeMs": _SIZE_DIGITS,
    }
    actor = members.get("actor") or {"id": "gateway", "role": "service", "auth": "own key"}
    try:
        format_statement(_own(keys), "period-close", common, {**members, "actor": actor})
    except WireError as error:
        if error.code == "too-long":
            return False
        raise RejectedError(error.code, str(error)) from None
    return True
