"""Checks each log entry as the roster and the chains stand at its index. Pure."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.audit.conformity import Conformity
from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.chain import KNOWN, Chain, fallen
from raffinate.evidence.statement import Statement, parse_statement
from raffinate.tlog.hashing import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import ec

    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Result

TIME_BACK_MS_MAX = 2000
_SIGNER_CODES = ("wrong-signer", "wrong-node")


@dataclass(slots=True)
class Signer:
    """An enrolled key, its chain, and what its newest statement said."""

    keyid: str
    role: str
    name: str
    public: ec.EllipticCurvePublicKey
    chain: Chain = field(default_factory=Chain)
    registers: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    seen: int = 0
    boot: int = 0
    up_ms: int = 0
    time_ms: int | None = None
    covered_up_ms: int | None = None
    covered_ms: int | None = None
    uncovered_ms: int = 0
    clocks: set[str] = field(default_factory=set)


class EntryChecker:
    """`check` each entry in order, then `finish`. `root_at(size)` gives earlier roots."""

    def __init__(
        self,
        policy: Policy,
        read: Callable[[str], bytes | None],
        root_at: Callable[[int], bytes | None],
        result: Result,
    ) -> None:
        self._policy = policy
        self._site = policy.origin.rsplit("/", 1)[-1]
        self._read = read
        self._root_at = root_at
        self._result = result
        authority = sha256(policy.authority_spki).hexdigest()
        self._signers = {
            authority: Signer(
                authority, "authority", "authority", dsse.public_key(policy.authority_spki)
            )
        }
        self._conformity = Conformity(policy, read, result)
        self._newest_ms: int | None = None

    def gateway_key(self, keyid: str) -> ec.EllipticCurvePublicKey | None:
        """An enrolled gateway key."""
        signer = self._signers.get(keyid)
        return signer.public if signer is not None and signer.role == "gateway" else None

    def check(self, index: int, entry: bytes) -> None:
        """One entry; what is wrong with it goes into the result."""
        try:
            envelope = dsse.decode_envelope(entry)
        except RejectedError as error:
            self._result.add("ENTRY", str(error), index=index)
            return
        signer = self._signers.get(envelope.keyid)
        if signer is None:
            self._result.add("UNENROLLED", f"key {envelope.keyid[:16]}", index=index)
            return
        try:
            dsse.verify(envelope, signer.public)
        except RejectedError as error:
            self._result.add("SIGNATURE", str(error), index=index, node=signer.name)
            return
        if envelope.payload_type == dsse.PERMIT and signer.role == "permit":
            self._result.permits += 1
            self._conformity.permit(index, envelope.payload, self._registers)
        elif envelope.payload_type == dsse.STATEMENT and signer.role != "permit":
            self._check_statement(index, entry, envelope, signer)
        else:
            kind = envelope.payload_type.decode()
            self._result.add("WRONG-SIGNER", f"a {signer.role} key signed {kind}", index=index)

    def finish(self, manifest: dict[str, Any]) -> None:
        """What only the whole shows: holes, cover, anchors, frames."""
        result = self._result
        for signer in self._signers.values():
            for hole in signer.chain.missing():
                result.add(
                    "MISSING",
                    f"statements {hole.low} to {hole.high} of {signer.name}",
                    node=signer.name,
                    seq=hole.low,
                )
            gap_s = signer.uncovered_ms // 1000
            if gap_s > self._policy.gap_s_max:
                result.add(
                    "UNCOVERED-TIME",
                    f"{gap_s} s of {signer.name} are not covered by its statements",
                    node=signer.name,
                )
        result.add("FRAMES-ABSENT", "no frames in this bundle")
        result.add("NO-ANCHOR", f"all {result.size} entries are without an outside witness")
        self._check_end(manifest)
        self._conformity.finish()

    def _check_statement(
        self, index: int, entry: bytes, envelope: dsse.Envelope, signer: Signer
    ) -> None:
        try:
            statement = parse_statement(envelope.payload)
        except RejectedError as error:
            code = "WRONG-SIGNER" if error.code in _SIGNER_CODES else "ENTRY"
            self._result.add(code, str(error), index=index, node=signer.name)
            return
        body = statement.body
        if (
            statement.keyid != signer.keyid
            or statement.node != signer.name
            or body["site"] != self._site
            or body["log"] != self._policy.origin
        ):
            self._result.add(
                "WRONG-SIGNER",
                f"it says site {body['site']}, node {statement.node}, log {body['log']}",
                index=index,
                node=signer.name,
            )
            return
        self._result.statements += 1
        if self._check_chain(index, entry, statement, signer):
            self._check_course(index, statement, signer)
        self._act(index, statement, signer)

    def _check_chain(self, index: int, entry: bytes, statement: Statement, signer: Signer) -> bool:
        """Place the statement in its chain; True when it is the newest of its key."""
        chain, seq = signer.chain, statement.seq
        if chain.place(seq, statement.prev) == KNOWN:
            self._add("DOUBLE-NUMBER", f"number {seq} stands in the log before", index, signer, seq)
            return False
        newest = seq > chain.seq
        for code in chain.extend(seq, statement.prev, leaf_hash(entry)):
            if code != "MISSING":
                self._add(code, f"statement {seq} of {signer.name}", index, signer, seq)
        return newest

    def _check_course(self, index: int, statement: Statement, signer: Signer) -> None:
        """Registers, boots, seen and clocks only go forward."""
        body, seq = statement.body, statement.seq
        time_ms = body["timeMs"]
        if signer.role == "gateway" and time_ms is not None:
            self._newest_ms = max(self._newest_ms or 0, time_ms)
        if body["registers"] is None:
            return
        registers = statement.registers()
        for name in fallen(signer.registers, registers):
            self._add("REGISTER-FELL", f"registers of {name}", index, signer, seq)
        signer.registers = registers
        boot, up_ms = body["boot"], body["upMs"]
        if boot < signer.boot:
            self._add("BOOT-FELL", f"boot {boot} after {signer.boot}", index, signer, seq)
        back_ms = signer.up_ms - up_ms if boot == signer.boot else 0
        if time_ms is not None and signer.time_ms is not None:
            back_ms = max(back_ms, signer.time_ms - time_ms)
        if back_ms > TIME_BACK_MS_MAX:
            self._add("TIME-BACK", f"{back_ms} ms back", index, signer, seq)
        if boot != signer.boot:
            signer.covered_up_ms = None
        signer.boot, signer.up_ms = boot, up_ms
        signer.time_ms = time_ms if time_ms is not None else signer.time_ms
        clock = body["clock"]
        if clock != "S" and clock not in signer.clocks:
            signer.clocks.add(clock)
            self._add("CLOCK", f"clock state {clock}, first here", index, signer, seq)
        self._check_seen(index, statement, signer)

    def _check_seen(self, index: int, statement: Statement, signer: Signer) -> None:
        seen = statement.body["seen"]
        size, seq = seen["size"], statement.seq
        if size < signer.seen:
            self._add("SEEN-FELL", f"size {size} after {signer.seen}", index, signer, seq)
        signer.seen = size
        if size > index:
            self._add("SEEN-AHEAD", f"size {size} at entry {index}", index, signer, seq)
            return
        root = self._root_at(size)
        if root is not None and root.hex() != seen["root"]:
            self._add("SEEN-MISMATCH", f"another root at size {size}", index, signer, seq)

    def _act(self, index: int, statement: Statement, signer: Signer) -> None:
        """What the predicate means."""
        kind, body, seq = statement.type, statement.body, statement.seq
        if kind == "enrol":
            self._enrol(index, statement)
        elif kind in ("rotate", "revoke", "retire"):
            self._add("UNSUPPORTED", f"{kind} is not known to this version", index, signer, seq)
        elif kind == "fork":
            about = body["about"]
            self._add(
                "FORK",
                f"key {about['keyid'][:16]} of {about['node']}, number {body['forkSeq']}",
                index,
                signer,
                seq,
            )
            self._check_fork(index, body["second"], signer)
        elif kind == "gap":
            self._add("GAP", f"{body['what']}: {body['cause']}", index, signer, seq)
        elif kind == "boot" and body["lost"] is not None:
            self._add("LOST", f"from frame {body['lost']['frameSeq']} on", index, signer, seq)
        elif kind == "licence":
            self._conformity.licence(index, body)
        elif kind in ("usage", "heartbeat"):
            self._cover(body, signer)
        if signer.role == "node":
            self._conformity.statement(index, statement, signer.name)

    def _enrol(self, index: int, statement: Statement) -> None:
        body, seq = statement.body, statement.seq
        authority = self._signers[statement.keyid]
        spki = b64decode(body["spki"])
        keyid = sha256(spki).hexdigest()
        if keyid != body["key"] or keyid in self._signers:
            self._add("ENROLMENT", f"key {body['key'][:16]}", index, authority, seq)
            return
        try:
            public = dsse.public_key(spki)
        except RejectedError as error:
            self._add("ENROLMENT", str(error), index, authority, seq)
            return
        role, name = body["role"], body["name"]
        if (role == "node") == (name in ("gateway", "authority")):
            self._add("ENROLMENT", f"a {role} has not the name {name}", index, authority, seq)
            return
        if any((s.role, s.name) == (role, name) for s in self._signers.values()):
            self._add("KEY-REPLACED", f"a further key of {name}", index, authority, seq)
        self._signers[keyid] = Signer(keyid, role, name, public)

    def _check_fork(self, index: int, second: str, signer: Signer) -> None:
        """The second envelope is kept as a blob under its leaf hash."""
        data = self._read(f"blobs/{second}")
        if data is None or leaf_hash(data).hex() != second:
            self._result.add(
                "FILE-MISSING",
                f"the second envelope of the fork at entry {index}",
                index=index,
                file=f"blobs/{second}",
                node=signer.name,
            )

    def _cover(self, body: dict[str, Any], signer: Signer) -> None:
        """Add up the time between the intervals of a node's statements."""
        interval = body["interval"]
        start, end = interval["fromUpMs"], interval["toUpMs"]
        if signer.covered_up_ms is not None:
            signer.uncovered_ms += max(0, start - signer.covered_up_ms)
        elif signer.covered_ms is not None and interval["fromMs"] is not None:
            signer.uncovered_ms += max(0, interval["fromMs"] - signer.covered_ms)
        signer.covered_up_ms = end
        signer.covered_ms = interval["toMs"] or signer.covered_ms

    def _registers(self, keyid: str, equipment: str) -> int | None:
        signer = self._signers.get(keyid)
        if signer is None:
            return None
        return signer.registers.get(equipment, (0, 0, 0))[0]

    def _check_end(self, manifest: dict[str, Any]) -> None:
        """The bundle must reach the end of the period that its manifest names."""
        to_ms = manifest.get("toMs")
        if not isinstance(to_ms, int):
            return
        times = [s.time_ms for s in self._signers.values() if s.time_ms is not None]
        newest_ms = max([*times, self._newest_ms or 0])
        if newest_ms + 1000 * self._policy.gap_s_max < to_ms:
            self._result.add("BUNDLE-OLD", f"it ends {to_ms - newest_ms} ms before --to")

    def _add(self, code: str, detail: str, index: int, signer: Signer, seq: int) -> None:
        self._result.add(code, detail, index=index, node=signer.name, seq=seq)
