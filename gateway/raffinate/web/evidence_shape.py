"""What `evidence()` returns: log, nodes' chains and equipment's permits, JSON-ready.

Times are UTC milliseconds; registers are absolute and only grow. The page shows `reason` and
`findings` as they are.
"""

from __future__ import annotations

from typing import Literal, NotRequired

# pydantic, which describes these in OpenAPI, needs typing_extensions before Python 3.12.
from typing_extensions import TypedDict

from raffinate.web.licence_shape import (  # noqa: TC001 - pydantic reads the annotations
    AcknowledgementShown,
    BypassShown,
    CalendarEntry,
    LicenceShown,
)


class LogHead(TypedDict):
    """The transparency log's newest checkpoint; `root` is base64, `checkpoint` the signed note."""

    origin: str
    size: int
    root: str
    time_ms: int | None
    checkpoint: str


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
    """One node's key and chain; `chain` is "ok" or the code of its first open finding.

    `covered_ms`: end of the newest interval whose frames a statement covers, by the node's clock.
    """

    node: str
    keyid: str | None
    state: Literal["enrolled", "pending", "revoked", "unknown"]
    boot: int | None
    online: bool | None
    clock: Literal["U", "S", "I", "R"] | None
    last_statement: LastStatement | None
    last_receipt: LastReceipt | None
    covered_ms: int | None
    unreceipted: int
    chain: str
    findings: list[str]


class PermitInForce(TypedDict):
    """The newest permit; starts are refused from `not_after_ms` + `grace_ms` on.

    `run_ms_left`, `volume_ml_left`: from the newest registers to the limits; null without the one
    or the other. `withdrawn`: it ended at once, to take back the one before.
    """

    serial: int
    not_before_ms: int
    not_after_ms: int
    grace_ms: int
    run_ms_limit: int | None
    volume_ml_limit: NotRequired[int | None]
    run_ms_left: NotRequired[int | None]
    volume_ml_left: NotRequired[int | None]
    withdrawn: NotRequired[bool]


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
    """One licensed machine: what it does, whether it may start, and why.

    State `bypass`: the keyed bypass is on, starts are permitted past the permit, and each is
    stated. `to_acknowledge`: what an operator should take note of now and has not (POST
    /api/v1/acknowledgements); `acknowledgements`: newest first, at most 16.
    """

    id: str
    name: str
    serial: str
    node: str
    run: bool | None
    state: Literal[
        "compliant", "grace", "start-inhibit", "orderly-stop-requested", "bypass", "unknown"
    ]
    reason: str
    licence: LicenceShown | None
    permit: PermitInForce | None
    registers: Registers | None
    last_denial: LastDenial | None
    bypass: NotRequired[BypassShown | None]
    to_acknowledge: NotRequired[list[Literal["grace", "orderly-stop", "conditions", "bypass"]]]
    acknowledgements: NotRequired[list[AcknowledgementShown]]


class AnchorState(TypedDict):
    """One outsider: a witness (`cosignature`) or a timestamp server (`rfc3161`).

    `size`, `time_ms`: the newest head it vouched for, and when; null before the first.
    `logged_size`: that of its newest `time-anchor` in the log. `unwitnessed`: entries since `size`
    that are no time-anchors at the end of the log; `unwitnessed_ms`: how long the oldest has
    waited. `state`: ok; waiting (never answered yet); failing (asked again later); refused (what
    it saw contradicts this log: asked no more until the gateway starts again); files (checkpoints
    go by stick). `problem`: a sentence, or null.
    """

    source: str
    kind: Literal["cosignature", "rfc3161"]
    state: Literal["ok", "waiting", "failing", "refused", "files"]
    size: int | None
    time_ms: int | None
    logged_size: int | None
    unwitnessed: int
    unwitnessed_ms: int
    problem: str | None


class EvidenceState(TypedDict):
    """The whole; `log` is None until the log's first checkpoint.

    `problems`: licence files that cannot be used, and outsiders that could not be asked or
    contradict the log, each a sentence with its remedy. `calendar`: soonest first, at most 64.
    """

    log: LogHead | None
    anchors: list[AnchorState]
    nodes: list[NodeEvidence]
    equipment: list[EquipmentEvidence]
    problems: list[str]
    calendar: NotRequired[list[CalendarEntry]]
