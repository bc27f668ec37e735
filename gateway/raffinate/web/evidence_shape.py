"""What `evidence()` returns: log, nodes' chains and equipment's permits, JSON-ready.

Times are UTC milliseconds; registers are absolute and only grow. The page shows `reason` and
`findings` as they are.
"""

from __future__ import annotations

from typing import Literal

# pydantic, which describes these in OpenAPI, needs typing_extensions before Python 3.12.
from typing_extensions import TypedDict


class LogHead(TypedDict):
    """The transparency log's newest checkpoint; `root` is base64 or hex as the log writes it."""

    origin: str
    size: int
    root: str
    time_ms: int | None


class LastStatement(TypedDict):
    """A node's newest statement that the gateway has checked."""

    seq: int
    type: str
    time_ms: int | None


class LastReceipt(TypedDict):
    """A node's newest statement in the log and its index there."""

    seq: int
    index: int


class NodeEvidence(TypedDict):
    """One node's key and chain; `chain` is "ok" or the code of its first open finding."""

    node: str
    keyid: str | None
    state: Literal["enrolled", "pending", "revoked", "unknown"]
    boot: int | None
    online: bool | None
    clock: Literal["U", "S", "I", "R"] | None
    last_statement: LastStatement | None
    last_receipt: LastReceipt | None
    unreceipted: int
    chain: str
    findings: list[str]


class LicenceInForce(TypedDict):
    """The licence the permit rests on; [from_ms, to_ms)."""

    number: str
    issuer: str
    from_ms: int
    to_ms: int


class PermitInForce(TypedDict):
    """The newest permit; starts are refused from `not_after_ms` + `grace_ms` on."""

    serial: int
    not_before_ms: int
    not_after_ms: int
    grace_ms: int
    run_ms_limit: int | None


class Registers(TypedDict):
    """Absolute registers of the newest statement."""

    run_ms: int
    starts: int
    volume_ml: int


class LastDenial(TypedDict):
    """The newest refused or unpermitted start; `count` since the node's key was enrolled."""

    kind: str
    reason: str
    time_ms: int | None
    count: int


class EquipmentEvidence(TypedDict):
    """One licensed machine: what it does, whether it may start, and why."""

    id: str
    name: str
    serial: str
    node: str
    run: bool | None
    state: Literal["compliant", "grace", "start-inhibit", "orderly-stop-requested", "unknown"]
    reason: str
    licence: LicenceInForce | None
    permit: PermitInForce | None
    registers: Registers | None
    last_denial: LastDenial | None


class EvidenceState(TypedDict):
    """The whole; `log` is None until the log's first checkpoint.

    `problems`: licence files that cannot be used, each a sentence with its remedy.
    """

    log: LogHead | None
    nodes: list[NodeEvidence]
    equipment: list[EquipmentEvidence]
    problems: list[str]
