"""Judges the log's entries in their order, as the roster and the chains stand at each. Pure.

What a bundle's own bytes show was checked before (chunk.py); here is what depends on the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raffinate.audit.anchors import AnchorError, Anchors
from raffinate.audit.bounds import Bounds, Span
from raffinate.audit.chunk import Entry, Run, run_of
from raffinate.audit.closes import Closes
from raffinate.audit.conformity import Conformity
from raffinate.audit.course import Courses
from raffinate.audit.roster import Roster, RosterError
from raffinate.audit.telling import Telling
from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.chain import AHEAD, NEXT
from raffinate.evidence.statement import Statement, parse_statement
from raffinate.tlog.hashing import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric import ec

    from raffinate.audit.anchors import Anchor
    from raffinate.audit.facts import Checker
    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Result
    from raffinate.audit.roster import Signer, Standing

    Read = Callable[[str], bytes | None]

_SIGNER_CODES = ("wrong-signer", "wrong-node")
_ROSTER = ("enrol", "rotate", "revoke", "retire")
_BAD_RECEIPT = "bad receipt"


class EntryChecker:
    """`take` each item in order, then `finish`. `root_at(size)` gives earlier roots.

    `split(run)` gives a joined run's statements one by one; `leaf_at(index)` an entry's leaf hash;
    `period` is the auditor's own, for time that is not covered.
    """

    def __init__(
        self,
        policy: Policy,
        read: Read,
        root_at: Callable[[int], bytes | None],
        leaf_at: Callable[[int], bytes | None],
        split: Callable[[Run], Iterable[Run]],
        result: Result,
        foreseen: dict[str, Standing],
        checkers: Iterable[Checker] = (),
        period: tuple[int | None, int | None] | None = None,
    ) -> None:
        self._policy = policy
        self._site = policy.origin.rsplit("/", 1)[-1]
        self._read = read
        self._leaf_at = leaf_at
        self._split = split
        self._result = result
        self.roster = Roster(policy.authority_spki, foreseen)
        self._conformity = Conformity(policy, read, result)
        self._bounds = Bounds(policy.anchor_lag_s_max, self._tell_bound)
        self.anchors = Anchors(policy, root_at)
        self._courses = Courses(result, self._bounds, self._conformity.name, period or (None, None))
        self._closes = Closes()
        self._telling = Telling(checkers, self._conformity, self.roster)
        self._gateway_low: dict[str, int] = {}
        self._gateway_ms = 0
        self._receipted: dict[str, tuple[int, int]] = {}
        self.bad: list[int] = []
        self._acts: dict[str, Callable[[Run, Signer], None]] = {
            **dict.fromkeys(_ROSTER, self._rostering),
            "boot": self._boot,
            "gap": self._gap,
            "fork": self._fork,
            "licence": self._licence,
            "document": self._document,
            "denial": self._denial,
            "time-anchor": self._time_anchor,
            "period-close": self._close,
            "activity": self._activity,
            "admin": self._admin,
        }

    def gateway_key(self, keyid: str) -> ec.EllipticCurvePublicKey | None:
        """A gateway key of the roster that was not revoked."""
        signer = self.roster.get(keyid)
        if signer is None or signer.role != "gateway" or signer.standing.revoked:
            return None
        return signer.public

    def take(self, item: Entry | Run) -> None:
        """One item; what is wrong with it goes into the result."""
        if isinstance(item, Entry):
            self._entry(item)
            return
        signer = self.roster.get(item.first.keyid)
        if signer is None:
            self._result.add("UNENROLLED", f"key {item.first.keyid[:16]}", index=item.index)
            return
        if item.count > 1 and (
            self.roster.known(signer.keyid).ended
            or self._conformity.cuts(item)
            or signer.chain.place(item.first.seq, item.first.prev) not in (NEXT, AHEAD)
        ):
            for single in self._split(item):
                self._run(single, signer)
        else:
            self._run(item, signer)

    def anchor(self, anchor: Anchor | None, index: int | None = None) -> None:
        """An outside time over the log, stated at `index` or (None) on the bundle's checkpoint."""
        if anchor is not None:
            self._bounds.anchor(index, anchor.size, anchor.low_ms, anchor.high_ms)

    def finish(self, manifest: dict[str, Any]) -> None:
        """What only the whole shows: holes, cover, outside times, machines."""
        result = self._result
        for signer in self.roster.signers.values():
            if signer.expected is not None and signer.expected[0] > signer.chain.seq:
                result.add(
                    "MISSING",
                    f"statements {signer.chain.seq + 1} to {signer.expected[0]} of {signer.name}, "
                    "which its retirement names",
                    node=signer.name,
                    seq=signer.chain.seq + 1,
                )
        newest_ms = max(self._courses.newest_ms, self._gateway_ms)
        self._check_end(manifest, newest_ms)
        self._courses.newest_ms = newest_ms
        self._courses.finish(list(self.roster.signers.values()), self._policy.gap_s_max)
        self._bounds.finish()
        result.anchor_ms, result.anchored = self._bounds.time_ms, self._bounds.size
        if self._bounds.time_ms is None:
            result.add("NO-ANCHOR", f"all {result.size} entries are without an outside witness")
        elif self._bounds.unbounded:
            detail = f"{self._bounds.unbounded} statements of nodes"
            result.add("UNWITNESSED", detail, index=self._bounds.size)
        self._telling.finish()
        result.as_of_ms = newest_ms
        self._conformity.finish(newest_ms)

    def _entry(self, item: Entry) -> None:
        index = item.index
        try:
            envelope = dsse.decode_envelope(item.data)
        except RejectedError as error:
            self._result.add("ENTRY", str(error), index=index)
            return
        signer = self.roster.get(envelope.keyid)
        if signer is None:
            self._result.add("UNENROLLED", f"key {envelope.keyid[:16]}", index=index)
            return
        fault = item.fault
        if not item.known:
            try:
                dsse.verify(envelope, signer.public)
            except RejectedError as error:
                fault = str(error)
                self.bad.append(index)
        if fault is not None:
            self._result.add("SIGNATURE", fault, index=index, node=signer.name)
        elif envelope.payload_type == dsse.PERMIT and signer.role == "permit":
            if self._trusts(signer, index + 1, index, item.leaf):
                self._result.permits += 1
                self._conformity.permit(index, envelope.payload, self._register)
        elif envelope.payload_type == dsse.STATEMENT and signer.role != "permit":
            self._statement(item, envelope.payload, signer)
        else:
            kind = envelope.payload_type.decode()
            self._result.add("WRONG-SIGNER", f"a {signer.role} key signed {kind}", index=index)

    def _statement(self, item: Entry, payload: bytes, signer: Signer) -> None:
        try:
            statement = parse_statement(payload)
        except RejectedError as error:
            code = "WRONG-SIGNER" if error.code in _SIGNER_CODES else "ENTRY"
            self._result.add(code, str(error), index=item.index, node=signer.name)
            return
        if signer.role == "node" and statement.body["seen"] is not None:
            run = run_of(statement, item.index, item.leaf)
            run.seen_wrong = self._seen_wrong(statement)
            self._run(run, signer)
        elif self._is_its(statement, item.index, signer):
            self._result.statements += 1
            run = Run(statement, item.index, item.index, 1, statement.seq, item.leaf)
            placed = self._courses.chain(run, signer)
            good = self._trusts(signer, statement.seq, item.index, item.leaf)
            if placed is not None and good:
                self._gateway_time(item.index, statement, signer)
                self._act(run, signer)

    def _run(self, run: Run, signer: Signer) -> None:
        first = run.first
        if not self._is_its(first, run.index, signer):
            return
        self._result.statements += run.count
        placed = self._courses.chain(run, signer)
        if not self._trusts(signer, run.last_seq, run.index, run.head) or placed is None:
            return
        self._courses.take(run, signer, newest=placed)
        self._receipts(run, signer)
        self._closes.note(run, signer)
        self._conformity.run(run, signer.name)
        self._telling.run(run, signer, late=not placed)
        self._act(run, signer)

    def _receipts(self, run: Run, signer: Signer) -> None:
        """What a node says of receipts that did not come, or that it could not believe."""
        body, keyid = run.first.body, signer.keyid
        why = body.get("why")
        if why is not None and _BAD_RECEIPT in why:
            self._add("RECEIPT-BAD", why, run, signer)
        boot, since_ms = self._receipted.get(keyid, (-1, 0))
        if not body["unreceipted"] or boot != body["boot"]:
            self._receipted[keyid] = body["boot"], run.last_up_ms
        elif body["upMs"] - since_ms > 1000 * self._policy.gap_s_max:
            detail = f"{body['unreceipted']} statements, for {(body['upMs'] - since_ms) // 1000} s"
            self._add("UNRECEIPTED", detail, run, signer)
            self._receipted[keyid] = body["boot"], run.last_up_ms

    def _is_its(self, statement: Statement, index: int, signer: Signer) -> bool:
        body = statement.body
        if (
            statement.keyid == signer.keyid
            and statement.node == signer.name
            and body["site"] == self._site
            and body["log"] == self._policy.origin
        ):
            return True
        self._result.add(
            "WRONG-SIGNER",
            f"it says site {body['site']}, node {statement.node}, log {body['log']}",
            index=index,
            node=signer.name,
        )
        return False

    def _trusts(self, signer: Signer, number: int, index: int, leaf: bytes) -> bool:
        if self.roster.trusts(signer, number, index, leaf):
            return True
        code = "KEY-REVOKED" if self.roster.known(signer.keyid).revoked else "KEY-ENDED"
        seq = None if signer.role == "permit" else number
        detail = f"key {signer.keyid[:16]}"
        self._result.add(code, detail, index=index, node=signer.name, seq=seq)
        return False

    def _act(self, run: Run, signer: Signer) -> None:
        """What the predicate means, besides use."""
        act = self._acts.get(run.first.type)
        if act is not None:
            act(run, signer)

    def _rostering(self, run: Run, signer: Signer) -> None:
        kind, body = run.first.type, run.first.body
        try:
            code = self.roster.apply(run.first, run.index)
        except RosterError as error:
            self._add("ENROLMENT", f"{kind}: {error}", run, signer)
            return
        if code is not None:
            self._add(code, f"{kind} of {body['role']} {body['name']}", run, signer)

    def _boot(self, run: Run, signer: Signer) -> None:
        lost = run.first.body["lost"]
        if lost is not None:
            self._add("LOST", f"from frame {lost['frameSeq']} on", run, signer)

    def _licence(self, run: Run, _signer: Signer) -> None:
        self._conformity.licence(run.index, run.first.body)

    def _document(self, run: Run, _signer: Signer) -> None:
        self._conformity.document(run.index, run.first.body)

    def _denial(self, run: Run, signer: Signer) -> None:
        if signer.role == "gateway":
            self._conformity.denial(run.index, run.first, signer.name)

    def _close(self, run: Run, signer: Signer) -> None:
        signers = self.roster.signers.values()
        problem = self._closes.problem(run.first.body, run.index, signers)
        if problem is not None:
            self._add("PERIOD-CLOSE", problem, run, signer)
        self._telling.close(run, signer)

    def _activity(self, run: Run, signer: Signer) -> None:
        self._conformity.activity(run.index, run.first.body)
        self._telling.activity(run, signer)

    def _admin(self, run: Run, signer: Signer) -> None:
        action = run.first.body["action"]
        if action in ("time-set", "deletion"):
            self._add("ADMIN", action, run, signer)

    def _gap(self, run: Run, signer: Signer) -> None:
        body = run.first.body
        self._add("GAP", f"{body['what']}: {body['cause']}", run, signer)
        owner = signer
        if body["about"] is not None:
            found = self.roster.get(body["about"]["keyid"])
            if found is None or found.role != "node":
                return
            owner = found
        self._closes.gap(run.index, owner.keyid)
        self._courses.gap(run, owner)
        self._telling.gap(run, owner)

    def _time_anchor(self, run: Run, signer: Signer) -> None:
        try:
            anchor = self.anchors.of_statement(run.first, run.index, self._read)
        except AnchorError as error:
            self._add("ANCHOR", str(error), run, signer)
            return
        if anchor is None:
            return
        self.anchor(anchor, run.index)
        self._gateway_low[signer.keyid] = max(anchor.low_ms, self._gateway_low.get(signer.keyid, 0))

    def _gateway_time(self, index: int, statement: Statement, signer: Signer) -> None:
        """The gateway's own statements are bounded by the anchors in its chain."""
        if signer.role != "gateway":
            return
        time_ms = statement.body["timeMs"]
        self._gateway_ms = max(self._gateway_ms, time_ms)
        low_ms = self._gateway_low.get(signer.keyid)
        if low_ms is not None:
            self._bounds.add(
                Span(
                    index,
                    index,
                    signer.name,
                    statement.seq,
                    signer.keyid,
                    0,
                    0,
                    low_ms,
                    time_ms,
                    time_ms,
                )
            )

    def _fork(self, run: Run, signer: Signer) -> None:
        """The second envelope is kept as a blob under its leaf hash, and must be what it says."""
        body = run.first.body
        about, number, second = body["about"], body["forkSeq"], body["second"]
        detail = f"key {about['keyid'][:16]} of {about['node']}, number {number}"
        owner = self.roster.get(about["keyid"])
        answered = owner is not None and not self.roster.known(owner.keyid).trusts(
            number, run.index, bytes.fromhex(second)
        )
        self._add("FORK-ANSWERED" if answered else "FORK", detail, run, signer)
        data = self._read(f"blobs/{second}")
        if data is None or leaf_hash(data).hex() != second:
            self._result.add(
                "FILE-MISSING",
                f"the second envelope of the fork at entry {run.index}",
                index=run.index,
                file=f"blobs/{second}",
                node=signer.name,
            )
            return
        first = self._leaf_at(body["index"]) if body["index"] < run.index else None
        problem = _second_problem(data, number, owner)
        if problem is None and (first is None or first.hex() == second):
            problem = "the first is not at the entry that it names"
        if problem is not None:
            self._add("FORK-FALSE", problem, run, signer)

    def _seen_wrong(self, statement: Statement) -> int | None:
        seen = statement.body["seen"]
        root = self.anchors.root_at(seen["size"])
        return None if root is None or root.hex() == seen["root"] else int(seen["size"])

    def _register(self, keyid: str, equipment: str) -> int | None:
        signer = self.roster.get(keyid)
        return None if signer is None else signer.registers.get(equipment, (0, 0, 0))[0]

    def _check_end(self, manifest: dict[str, Any], newest_ms: int) -> None:
        """The bundle must reach the end of the period that its manifest names."""
        to_ms = manifest.get("toMs")
        if isinstance(to_ms, int) and newest_ms + 1000 * self._policy.gap_s_max < to_ms:
            self._result.add("BUNDLE-OLD", f"it ends {to_ms - newest_ms} ms before --to")

    def _tell_bound(self, code: str, detail: str, span: Span) -> None:
        count = span.last - span.first
        text = detail if not count else f"{detail} (entries {span.first} to {span.last})"
        self._result.add(code, text, index=span.first, node=span.node, seq=span.seq)

    def _add(self, code: str, detail: str, run: Run, signer: Signer) -> None:
        self._result.add(code, detail, index=run.index, node=signer.name, seq=run.first.seq)


def _second_problem(data: bytes, number: int, owner: Signer | None) -> str | None:
    """Why a fork's second envelope is none."""
    try:
        envelope = dsse.decode_envelope(data)
        if owner is None or envelope.keyid != owner.keyid:
            return "the second envelope is of another key"
        dsse.verify(envelope, owner.public)
        if parse_statement(envelope.payload).seq != number:
            return "the second envelope has another number"
    except RejectedError as error:
        return f"the second envelope: {error}"
    return None
