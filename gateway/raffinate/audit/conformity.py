"""The licence question: permits against licences, use and starts against both. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raffinate.audit.accounts import DENIALS_MAX, DenialSeen
from raffinate.audit.documents import Documents
from raffinate.audit.findings import PASS
from raffinate.audit.ledger import Amount
from raffinate.audit.machines import PERMITS_KEPT, Leave, Machines, Where
from raffinate.audit.markup import utc
from raffinate.audit.weighing import Weighing
from raffinate.licence.permit import is_withdrawal
from raffinate_wire.errors import WireError
from raffinate_wire.permit import LIFE_MS_MAX, Permit, parse_permit

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.chunk import Run, Use
    from raffinate.audit.machines import Machine
    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Result
    from raffinate.evidence.statement import Statement
    from raffinate.licence.document import Licence


class Conformity:
    """Takes permits, documents and nodes' statements in the order of the log."""

    def __init__(self, policy: Policy, read: Callable[[str], bytes | None], result: Result) -> None:
        self._policy = policy
        self._result = result
        self._machines = Machines(read, result)
        self._documents = Documents(policy, read, result)
        site = policy.origin.rsplit("/", 1)[-1]
        self._weighing = Weighing(self._documents, result, site)

    def licence(self, index: int, body: dict[str, Any]) -> None:
        """A licence version that the gateway states."""
        self._documents.licence(body["sha256"], index, None, body["timeMs"])
        self._weighing.change(body["timeMs"], Where(index, "gateway", body["seq"]))

    def document(self, index: int, body: dict[str, Any]) -> None:
        """A version of another document that the gateway states, or what became of it."""
        self._documents.state(index, body)
        self._weighing.change(body["timeMs"], Where(index, "gateway", body["seq"]))

    def activity(self, index: int, body: dict[str, Any]) -> None:
        """Work on a machine as the gateway states it."""
        machine = self._machines.newest(body["equipment"])
        if machine is not None:
            where = Where(index, "gateway", body["seq"])
            self._weighing.activity(machine, body["kind"], body["fromMs"], where)

    def permit(
        self, index: int, payload: bytes, registers: Callable[[str, str], int | None]
    ) -> None:
        """A permit in the log; `registers` gives (keyid, equipment) -> run_ms as stated so far."""
        try:
            permit = parse_permit(payload)
        except WireError as error:
            self._result.add("ENTRY", f"permit: {error}", index=index)
            return
        machine = self._machines.get(permit.keyid, permit.equipment)
        if permit.serial <= machine.permit_serial:
            self._result.add(
                "PERMIT-SERIAL",
                f"serial {permit.serial} after {machine.permit_serial}",
                index=index,
                node=permit.node,
                equipment=machine.name,
            )
        machine.permit_serial = max(machine.permit_serial, permit.serial)
        machine.end_ms = permit.not_after_ms + permit.grace_ms
        machine.permits[permit.serial] = Leave(
            permit.licence_sha256, permit.not_before_ms, permit.not_after_ms + permit.grace_ms
        )
        if len(machine.permits) > PERMITS_KEPT:
            del machine.permits[min(machine.permits)]
        licence = self._documents.licence(
            permit.licence_sha256, index, machine.name, permit.issued_ms
        )
        if licence is not None and not is_withdrawal(permit):
            self._check_permit(index, permit, licence, machine)
            where = Where(index, permit.node)
            self._weighing.permit(machine, licence, permit.issued_ms, where)
        run_ms = registers(permit.keyid, permit.equipment)
        life_ms = permit.not_after_ms - permit.not_before_ms
        if run_ms is None or permit.run_ms_limit > run_ms + life_ms + permit.grace_ms:
            self._result.add(
                "PERMIT-LIMIT",
                f"limit {permit.run_ms_limit} ms at register {run_ms} ms",
                index=index,
                node=permit.node,
                equipment=machine.name,
            )

    def cuts(self, run: Run) -> bool:
        """True when a joined run must be taken apart: a day or a licence begins or ends in it."""
        if not run.uses or run.from_ms is None or run.to_ms is None:
            return False
        return self._documents.divides(run.from_ms, run.to_ms)

    def run(self, run: Run, node: str) -> None:
        """A node's statements: whom they cover, what was used, started, refused."""
        index, statement = run.index, run.first
        body = statement.body
        for name, digest in statement.subjects().items():
            if name.startswith("equipment/"):
                self._describe(statement.keyid, name[10:-5], digest, index)
        if statement.type == "denial":
            self.denial(index, statement, node)
        elif statement.type == "boot":
            for name in body["foundRunning"]:
                machine = self._machines.get(statement.keyid, name)
                self._add("FOUND-RUNNING", name, Where(index, node, statement.seq), machine)
        for use in run.uses:
            self._use(run, node, use)

    def _describe(self, keyid: str, equipment: str, digest: str, index: int) -> None:
        machine = self._machines.get(keyid, equipment)
        if machine.digest != digest:
            first = machine.descriptor.serial is None
            self._machines.describe(machine, digest, index)
            if first and machine.descriptor.serial is not None:
                self._weighing.named(machine)

    def denial(self, index: int, statement: Statement, node: str) -> None:
        """A denial by a node, or by the gateway about one."""
        body = statement.body
        detail = f"{body['reason']}, {body['count']} time(s)"
        about = body["about"]
        keyid = statement.keyid if about is None else about["keyid"]
        machine = self._machines.get(keyid, body["equipment"])
        if body["kind"] != "REFUSED":
            machine.denied = body["reason"]
        self._add(body["kind"], detail, Where(index, node, statement.seq), machine)
        if len(self._result.denials) < DENIALS_MAX:
            seen = DenialSeen(
                machine.name, body["kind"], body["reason"], body["count"], index, node,
                body["timeMs"],
            )  # fmt: skip
            self._result.denials.append(seen)

    def name(self, keyid: str, equipment: str) -> str:
        """The machine's serial, or what its node calls it."""
        return self._machines.get(keyid, equipment).name

    def machine(self, keyid: str, equipment: str) -> tuple[str | None, str | None]:
        """The machine's serial and flow point, as its descriptor says."""
        found = self._machines.get(keyid, equipment).descriptor
        return found.serial, found.volume

    def finish(self, at_ms: int) -> None:
        """Machines of the policy that nothing covers; a verdict for each machine that is.

        `at_ms` is the newest time that the log states.
        """
        result = self._result
        for serial in self._policy.serials:
            if serial not in self._machines.covered:
                result.add("EQUIPMENT-UNCOVERED", f"no statement covers {serial}", equipment=serial)
        for machine in self._machines.all():
            self._end_outside(machine)
            result.descriptors[machine.name] = machine.descriptor
        self._documents.finish()
        self._weighing.finish(at_ms)
        for serial in sorted(self._machines.covered):
            result.machines.setdefault(serial, PASS)

    def _check_permit(self, index: int, permit: Permit, licence: Licence, machine: Machine) -> None:
        beyond = [
            text
            for wrong, text in (
                (permit.not_before_ms < licence.from_ms, "it begins before the licence"),
                (permit.not_after_ms > licence.ends_ms, "it ends after the licence"),
                (permit.not_after_ms - permit.not_before_ms > LIFE_MS_MAX, "it lasts over 7 days"),
                (permit.grace_ms > licence.grace_ms, "its grace is longer"),
                (not set(permit.stages) <= set(licence.stages), "it names other stages"),
                (permit.licence != licence.number, "it names another number"),
                (
                    machine.descriptor.serial is not None
                    and not licence.covers(machine.descriptor.serial),
                    f"the licence is for {licence.equipment}",
                ),
            )
            if wrong
        ]
        if beyond:
            self._result.add(
                "PERMIT-BEYOND-LICENCE",
                f"permit {permit.serial}: " + ", ".join(beyond),
                index=index,
                node=permit.node,
                equipment=machine.name,
            )

    def _use(self, run: Run, node: str, use: Use) -> None:
        name, where = use.equipment, Where(run.index, node, run.first.seq)
        machine = self._machines.get(run.first.keyid, name)
        machine.clock = run.first.body["clock"]
        if use.permit is not None and use.permit not in machine.permits:
            self._add("PERMIT-UNKNOWN", f"permit {use.permit} of {name}", where, machine)
        denied, machine.denied = machine.denied, None
        idle = not use.run and not use.run_ms and not use.starts
        if not idle and (run.from_ms is None or run.to_ms is None):
            self._add("USE-TIME-UNKNOWN", name, where, machine)
        elif not idle and not self._documents.licences(machine.descriptor.serial):
            self._add("USE-WITHOUT-LICENCE", name, where, machine)
            return
        times = run.from_ms, run.to_ms
        licence = self._licence_of(machine, use, times)
        if licence is not None or idle:
            self._end_outside(machine)
        if licence is not None:
            amount = Amount(use.run_ms, use.starts, use.volume_ml)
            self._weighing.use(machine, licence, times, amount)
        if not idle and run.from_ms is not None and run.to_ms is not None:
            known = run.from_ms, run.to_ms
            self._judge_use(run, use, machine, licence, denied, known, where)

    def _judge_use(
        self,
        run: Run,
        use: Use,
        machine: Machine,
        licence: Licence | None,
        denied: str | None,
        times: tuple[int, int],
        where: Where,
    ) -> None:
        """Use at a known time, under a licence in force then or under none."""
        from_ms, to_ms = times
        if licence is None:
            self._outside(machine, use, where, from_ms)
        elif use.starts:
            at_ms = max(from_ms, licence.from_ms)
            kind = self._start_kind(machine, use, denied, run)
            if kind == "hand" and denied is None:
                detail = f"{use.starts} start(s) under no permit, and no denial states it"
                self._add("STARTED-ANYWAY", detail, where, machine)
            self._weighing.start(machine, licence, at_ms, kind, where)
        late = machine.end_ms is not None and to_ms > machine.end_ms
        if late and not machine.ran_on and use.run_ms:
            self._add("RAN-ON", use.equipment, where, machine)
        machine.ran_on = late

    @staticmethod
    def _start_kind(machine: Machine, use: Use, denied: str | None, run: Run) -> str:
        """By leave of a permit in force in the interval, by the keyed bypass, or by hand."""
        if denied is not None:
            return "bypass" if denied == "bypass" else "hand"
        leave = None if use.permit is None else machine.permits.get(use.permit)
        end_ms = run.first.body["interval"]["toMs"]
        if leave is None or run.from_ms is None or end_ms <= leave.from_ms:
            return "hand"
        return "permitted" if run.from_ms < leave.to_ms else "hand"

    def _licence_of(
        self, machine: Machine, use: Use, times: tuple[int | None, int | None]
    ) -> Licence | None:
        """The licence that use falls under: the permit's, else the best one in force then.

        Of a licence with versions it is the one in force, whichever the permit was given under.
        """
        from_ms, to_ms = times
        leave = None if use.permit is None else machine.permits.get(use.permit)
        digest = None if leave is None else leave.licence_sha256
        licences = self._documents.licences(machine.descriptor.serial)
        named = [licence for licence in licences if licence.sha256 == digest]
        if from_ms is None or to_ms is None:
            return named[0] if named else None
        fitting = [
            licence
            for licence in licences
            if licence.from_ms < to_ms
            and from_ms < licence.ends_ms + licence.grace_ms
            and self._documents.is_newest(licence, from_ms)
        ]
        return max(
            fitting,
            key=lambda licence: (
                licence.sha256 == digest,
                self._documents.by(licence.sha256) is not None,
                licence.ends_ms,
                licence.sha256,
            ),
            default=None,
        )

    def _outside(self, machine: Machine, use: Use, where: Where, from_ms: int) -> None:
        """Use while no licence was in force: starts are told at once, run time when it ends."""
        if use.starts:
            detail = f"{use.starts} start(s) of {use.equipment}"
            self._add("START-OUTSIDE-LICENCE", detail, where, machine)
        if use.run_ms and machine.outside is None:
            machine.outside, machine.outside_from_ms = where, from_ms
        machine.outside_ms += use.run_ms

    def _end_outside(self, machine: Machine) -> None:
        where, machine.outside = machine.outside, None
        if where is not None:
            since = utc(machine.outside_from_ms)
            detail = f"{machine.outside_ms / 3_600_000:.2f} h from {since} on"
            self._add("USE-OUTSIDE-LICENCE", detail, where, machine)
        machine.outside_ms = 0

    def _add(self, code: str, detail: str, where: Where, machine: Machine) -> None:
        self._result.add(
            code, detail, index=where.index, node=where.node, seq=where.seq, equipment=machine.name
        )
