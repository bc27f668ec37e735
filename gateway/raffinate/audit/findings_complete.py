"""Findings about whether anything is missing, and about outside times (docs/findings.md)."""

from __future__ import annotations

from raffinate.audit.findings_code import (
    ASK,
    COMPLETE,
    FAIL,
    INSUFFICIENT,
    NOTICE,
    TIME,
    Code,
)

ABOUT_COMPLETE: dict[str, Code] = {
    "MISSING": Code(COMPLETE, FAIL, "A statement that its successor names is not in the log.", ASK),
    "SKIPPED": Code(
        COMPLETE,
        NOTICE,
        "A number was never used: power went between counting and signing.",
        "None, unless it happens often: then look at the board's supply.",
    ),
    "LATE": Code(
        COMPLETE,
        NOTICE,
        "A statement came after its successors and stands behind them in the log.",
        "None; the order of the chain counts.",
    ),
    "REGISTER-FELL": Code(
        COMPLETE, FAIL, "A register that only grows is lower than before, or is gone.", ASK
    ),
    "BOOT-FELL": Code(
        COMPLETE, FAIL, "A node's boot counter fell: its flash was rolled back.", ASK
    ),
    "GAP": Code(
        COMPLETE,
        NOTICE,
        "A signed gap: what is missing, and why. It explains and does not cover.",
        "Read its cause; together with uncovered time it counts against gap_s_max.",
    ),
    "LOST": Code(
        COMPLETE,
        NOTICE,
        "A board says what frames a power cut may have cost.",
        "None, unless it happens often.",
    ),
    "OPENING-ABSENT": Code(
        COMPLETE,
        INSUFFICIENT,
        "A node's further key begins without the registers of the key before it.",
        "Ask for the machine's own hour meter at the change of boards.",
    ),
    "UNCOVERED-TIME": Code(
        COMPLETE,
        INSUFFICIENT,
        "A node's statements leave more time uncovered than gap_s_max.",
        ASK,
    ),
    "EQUIPMENT-UNCOVERED": Code(
        COMPLETE,
        FAIL,
        "No statement in the log covers a machine that the policy lists.",
        "Ask where the machine is and which node meters it.",
    ),
    "DESCRIPTOR-ABSENT": Code(
        COMPLETE,
        INSUFFICIENT,
        "The descriptor that statements name by digest is not in the bundle, or cannot be read.",
        "Ask for the equipment file of that SHA-256.",
    ),
    "FRAMES-ABSENT": Code(
        COMPLETE,
        INSUFFICIENT,
        "The bundle has no frames, so that the completeness of frames cannot be judged.",
        "Ask for an export with frames.",
    ),
    "FRAME-MISSING": Code(
        COMPLETE,
        FAIL,
        "Frames that a statement covers are not in the bundle, and no gap explains them (class D).",
        "Take a new export; if it shows the same, they were removed from the archive.",
    ),
    "FRAME-PENDING": Code(
        COMPLETE,
        INSUFFICIENT,
        "The newest frames that statements of a node cover are not in the bundle yet.",
        "Take a new export when the node has caught up, or one that ends before (--to).",
    ),
    "FRAME-RANGE": Code(
        COMPLETE,
        FAIL,
        "A node's statements cover some frames twice, or leave some out between them (class D).",
        ASK,
    ),
    "FRAME-UNCOVERED": Code(
        COMPLETE,
        NOTICE,
        "Frames that no statement covers: the newest ones, or those before a power cut.",
        "None; nothing rests on them.",
    ),
    "FRAME-GAP": Code(
        COMPLETE,
        NOTICE,
        "Frames are missing that signed gaps or a power cut explain.",
        "Read the gaps' causes.",
    ),
    "FRAME-GAP-LONG": Code(
        COMPLETE,
        INSUFFICIENT,
        "Frames are missing for longer than gap_s_max, though gaps or power cuts explain them.",
        ASK,
    ),
    "FRAMES-LEFT-OUT": Code(
        COMPLETE,
        NOTICE,
        "The bundle has no frames of a node that meters none of the machines of the policy.",
        "None; ask for an export without --equipment to judge all nodes.",
    ),
    "REGISTER-SUM": Code(
        COMPLETE,
        FAIL,
        "A machine's registers did not grow by the deltas that its node states (class D).",
        ASK,
    ),
    "RUN-MISMATCH": Code(
        COMPLETE,
        FAIL,
        "Run time does not fit the run contact: it grew while open, or not while closed (class D).",
        ASK,
    ),
    "VOLUME-MISMATCH": Code(
        COMPLETE,
        INSUFFICIENT,
        "A volume register does not fit the flow in the frames, over 10 min and more (class D).",
        "Look at the flow meter, its pulses a litre, and its calibration.",
    ),
    "HOUR-METER": Code(
        COMPLETE,
        INSUFFICIENT,
        "A machine's own hour meter and its run register went on differently (class D).",
        "Read the meter again; look at the run contact and its wiring.",
    ),
    "FIRMWARE-UNDECLARED": Code(
        COMPLETE,
        INSUFFICIENT,
        "A board's firmware digest changed, and no activity on its machines says why (class D).",
        "Ask for the work order; compare the digest with the released ones.",
    ),
    "CONFIG-UNDECLARED": Code(
        COMPLETE,
        INSUFFICIENT,
        "A board's configuration changed, and no activity on its machines says why (class D).",
        "Ask for the work order, and compare the node's configuration with the plant's.",
    ),
    "CALIBRATION-UNDECLARED": Code(
        COMPLETE,
        INSUFFICIENT,
        "A board's calibration digest changed, and no activity on its machines says why (class D).",
        "Ask for the calibration record.",
    ),
}
ABOUT_TIME: dict[str, Code] = {
    "NO-ANCHOR": Code(
        TIME,
        INSUFFICIENT,
        "No outside witness or timestamp bounds when the entries were made.",
        "Let a witness cosign the log's checkpoints.",
    ),
    "UNWITNESSED": Code(
        TIME,
        INSUFFICIENT,
        "The newest statements of nodes are in no log that a witness or time-stamp covers.",
        "Ask for an export made after the witnesses' next round.",
    ),
    "ANCHOR": Code(
        TIME,
        FAIL,
        "A time-anchor's cosignature or token is missing, or says otherwise than the anchor.",
        "Ask the witness or the time-stamp server what it signed.",
    ),
    "TIME-BOUND": Code(
        TIME,
        INSUFFICIENT,
        "Outside times around a statement are further apart than anchor_lag_s_max, or lack one.",
        "Let witnesses cosign more often; judge the statement's time by its neighbours.",
    ),
    "BACKDATED": Code(
        TIME,
        FAIL,
        "A statement's time is before an outside time that its signer already knew.",
        ASK,
    ),
    "POSTDATED": Code(
        TIME,
        FAIL,
        "A statement's time is after an outside time at which it was already in the log.",
        ASK,
    ),
    "CLOCK": Code(
        TIME,
        INSUFFICIENT,
        "A statement was made without a synchronised clock (state U, I or R).",
        "Judge its time by its neighbours in the log.",
    ),
    "TIME-BACK": Code(
        TIME, FAIL, "A node's time or uptime went back over 2 s between two statements.", ASK
    ),
}
