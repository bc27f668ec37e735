"""The licence question: permits against licences, and use against both (protocol 5). Pure."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.audit.findings import PASS
from raffinate.audit.result import LicenceSeen
from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.licence.document import LICENCE_BYTES_MAX, Licence, parse_licence
from raffinate_wire.errors import WireError
from raffinate_wire.permit import LIFE_MS_MAX, Permit, parse_permit

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.chunk import Run, Use
    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Result
    from raffinate.evidence.statement import Statement

PERMITS_KEPT = 64


@dataclass(slots=True)
class Machine:
    """One equipment under one key: its serial by its newest descriptor, its newest permits."""

    serial: str | None = None
    descriptor: str = ""
    permit_serial: int = 0
    end_ms: int | None = None
    permits: list[int] = field(default_factory=list)
    licences: dict[str, Licence | None] = field(default_factory=dict)
    ran_on: bool = False
    volume: str | None = None


class Conformity:
    """Takes permits, licence statements and nodes' statements in the order of the log."""

    def __init__(self, policy: Policy, read: Callable[[str], bytes | None], result: Result) -> None:
        self._policy = policy
        self._read = read
        self._result = result
        self._machines: dict[tuple[str, str], Machine] = {}
        self._descriptors: dict[str, tuple[str | None, str | None]] = {}
        self._covered: set[str] = set()
        self._licences: dict[str, Licence | None] = {}

    def licence(self, index: int, body: dict[str, Any]) -> None:
        """A licence version that the gateway states."""
        self._licence(body["sha256"], index, None)

    def permit(
        self, index: int, payload: bytes, registers: Callable[[str, str], int | None]
    ) -> None:
        """A permit in the log; `registers` gives (keyid, equipment) -> run_ms as stated so far."""
        try:
            permit = parse_permit(payload)
        except WireError as error:
            self._result.add("ENTRY", f"permit: {error}", index=index)
            return
        machine = self._machine(permit.keyid, permit.equipment)
        where = machine.serial or permit.equipment
        if permit.serial <= machine.permit_serial:
            self._result.add(
                "PERMIT-SERIAL",
                f"serial {permit.serial} after {machine.permit_serial}",
                index=index,
                node=permit.node,
                equipment=where,
            )
        machine.permit_serial = max(machine.permit_serial, permit.serial)
        machine.end_ms = permit.not_after_ms + permit.grace_ms
        machine.permits = [*machine.permits[-PERMITS_KEPT:], permit.serial]
        licence = self._licence(permit.licence_sha256, index, where)
        machine.licences[permit.licence_sha256] = licence
        if licence is not None:
            self._check_permit(index, permit, licence, machine)
        run_ms = registers(permit.keyid, permit.equipment)
        life_ms = permit.not_after_ms - permit.not_before_ms
        if run_ms is None or permit.run_ms_limit > run_ms + life_ms + permit.grace_ms:
            self._result.add(
                "PERMIT-LIMIT",
                f"limit {permit.run_ms_limit} ms at register {run_ms} ms",
                index=index,
                node=permit.node,
                equipment=where,
            )

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
                self._add("FOUND-RUNNING", name, index, node, statement, name)
        for use in run.uses:
            self._use(run, node, use)

    def denial(self, index: int, statement: Statement, node: str) -> None:
        """A denial by a node, or by the gateway about one."""
        body = statement.body
        detail = f"{body['reason']}, {body['count']} time(s)"
        about = body["about"]
        keyid = statement.keyid if about is None else about["keyid"]
        self._result.add(
            body["kind"],
            detail,
            index=index,
            node=node,
            seq=statement.seq,
            equipment=self.name(keyid, body["equipment"]),
        )

    def name(self, keyid: str, equipment: str) -> str:
        """The machine's serial, or what its node calls it."""
        return self._machine(keyid, equipment).serial or equipment

    def machine(self, keyid: str, equipment: str) -> tuple[str | None, str | None]:
        """The machine's serial and flow point, as its descriptor says."""
        machine = self._machine(keyid, equipment)
        return machine.serial, machine.volume

    def finish(self) -> None:
        """Machines of the policy that nothing covers; a verdict for each machine that is."""
        for serial in self._policy.serials:
            if serial not in self._covered:
                self._result.add(
                    "EQUIPMENT-UNCOVERED", f"no statement covers {serial}", equipment=serial
                )
        for serial in sorted(self._covered):
            self._result.machines.setdefault(serial, PASS)

    def _machine(self, keyid: str, equipment: str) -> Machine:
        return self._machines.setdefault((keyid, equipment), Machine())

    def _describe(self, keyid: str, equipment: str, digest: str, index: int) -> None:
        machine = self._machine(keyid, equipment)
        if machine.descriptor == digest:
            return
        machine.descriptor = digest
        if digest not in self._descriptors:
            self._descriptors[digest] = self._read_descriptor(digest, index)
        machine.serial, machine.volume = self._descriptors[digest]
        self._covered.add(machine.serial or equipment)

    def _read_descriptor(self, digest: str, index: int) -> tuple[str | None, str | None]:
        """(serial, flow point) of an equipment file."""
        data = self._read(f"equipment/{digest}.toml")
        if data is not None and sha256(data).hexdigest() == digest:
            try:
                value = tomllib.loads(data.decode())
            except (UnicodeDecodeError, tomllib.TOMLDecodeError):
                value = {}
            serial, volume = value.get("serial"), value.get("volume")
            if isinstance(serial, str):
                return serial, volume if isinstance(volume, str) else None
        self._result.add("DESCRIPTOR-ABSENT", f"descriptor {digest}", index=index)
        return None, None

    def _licence(self, digest: str, index: int, equipment: str | None) -> Licence | None:
        """The licence of a digest; a finding once when the policy or the bundle has it not."""
        if digest in self._licences:
            return self._licences[digest]
        data = self._read(f"licences/{digest}.toml")
        licence = None
        try:
            if data is not None and sha256(data).hexdigest() == digest:
                licence = parse_licence(f"licences/{digest}.toml", data)
        except ConfigError:
            licence = None
        self._licences[digest] = licence
        name = licence.equipment if licence is not None else equipment
        if licence is None:
            self._result.add("LICENCE-ABSENT", digest, index=index, equipment=name)
        vouched = "list" if digest in self._policy.licences else None
        if vouched is None and self._is_signed(digest, data):
            vouched = "signature"
        if vouched is None:
            self._result.add("LICENCE-UNAUTHENTICATED", digest, index=index, equipment=name)
        self._result.licences[digest] = LicenceSeen(digest, licence, vouched)
        return licence

    def _is_signed(self, digest: str, data: bytes | None) -> bool:
        """True when an issuer of the policy signed exactly this file."""
        signed = self._read(f"licences/{digest}.dsse") if self._policy.issuers else None
        if signed is None or data is None:
            return False
        try:
            envelope = dsse.decode_envelope(signed, 2 * LICENCE_BYTES_MAX)
            if (envelope.payload_type, envelope.payload) != (dsse.LICENCE, data):
                return False
            for spki in self._policy.issuers:
                if sha256(spki).hexdigest() == envelope.keyid:
                    dsse.verify(envelope, dsse.public_key(spki))
                    return True
        except RejectedError:
            return False
        return False

    def _check_permit(self, index: int, permit: Permit, licence: Licence, machine: Machine) -> None:
        beyond = [
            text
            for wrong, text in (
                (permit.not_before_ms < licence.from_ms, "it begins before the licence"),
                (permit.not_after_ms > licence.to_ms, "it ends after the licence"),
                (permit.not_after_ms - permit.not_before_ms > LIFE_MS_MAX, "it lasts over 7 days"),
                (permit.grace_ms > licence.grace_ms, "its grace is longer"),
                (not set(permit.stages) <= set(licence.stages), "it names other stages"),
                (permit.licence != licence.number, "it names another number"),
                (
                    machine.serial is not None and not licence.covers(machine.serial),
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
                equipment=machine.serial or permit.equipment,
            )

    def _use(self, run: Run, node: str, use: Use) -> None:
        index, statement, name = run.index, run.first, use.equipment
        machine = self._machine(statement.keyid, name)
        if use.permit is not None and use.permit not in machine.permits:
            detail = f"permit {use.permit} of {name}"
            self._add("PERMIT-UNKNOWN", detail, index, node, statement, name)
        if not use.run and not use.run_ms and not use.starts:
            return
        if run.from_ms is None or run.to_ms is None:
            self._add("USE-TIME-UNKNOWN", name, index, node, statement, name)
            return
        licences = [
            licence
            for licence in self._licences.values()
            if licence is not None and licence.covers(machine.serial)
        ]
        if not licences:
            self._add("USE-WITHOUT-LICENCE", name, index, node, statement, name)
            return
        # Only the first statement of a run has starts.
        start_ms, end_ms = run.from_ms, statement.body["interval"]["toMs"]
        covered = any(
            licence.from_ms < end_ms and start_ms < licence.to_ms + licence.grace_ms
            for licence in licences
        )
        if use.starts and not covered:
            detail = f"{use.starts} start(s) of {name}"
            self._add("START-OUTSIDE-LICENCE", detail, index, node, statement, name)
        late = machine.end_ms is not None and run.to_ms > machine.end_ms
        if late and not machine.ran_on and use.run_ms:
            self._add("RAN-ON", name, index, node, statement, name)
        machine.ran_on = late

    def _add(
        self, code: str, detail: str, index: int, node: str, statement: Statement, equipment: str
    ) -> None:
        serial = self._machine(statement.keyid, equipment).serial
        self._result.add(
            code, detail, index=index, node=node, seq=statement.seq, equipment=serial or equipment
        )
