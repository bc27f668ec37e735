"""Every finding of intake and verifier: what it means, and what to do (docs/findings.md)."""

from __future__ import annotations

from dataclasses import dataclass

AUTHENTIC, COMPLETE, TIME, LICENCE = (
    "authentic",
    "complete",
    "time-trustworthy",
    "licence-conformant",
)
QUESTIONS = (AUTHENTIC, COMPLETE, TIME, LICENCE)
PASS, FAIL, INSUFFICIENT, NOTICE = "PASS", "FAIL", "INSUFFICIENT", "NOTICE"


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding; `effect` on the verdict of `question` (None: on all four)."""

    question: str | None
    effect: str
    meaning: str
    remedy: str


_RESTORE = "Take a new export from the gateway; if it shows the same, the stored log was changed."
_ASK = "Ask the operator for the board and its console log; treat the period as not attested."
_KEYS = "Compare with the enrolment records of the authority."

CODES: dict[str, Code] = {
    "UNTRUSTED-ROOT": Code(
        None,
        INSUFFICIENT,
        "No policy was given: the keys that everything rests on come from the bundle itself.",
        "Give --policy with log and authority keys that you got apart from the bundle.",
    ),
    "BUNDLE-OLD": Code(
        None,
        INSUFFICIENT,
        "The bundle is smaller than the pinned checkpoint, or ends before the period asked for.",
        "Ask for a newer export.",
    ),
    "PIN-MISMATCH": Code(
        AUTHENTIC,
        FAIL,
        "The bundle's log is not a continuation of the pinned checkpoint: the log was forked.",
        "Keep both; the two signed heads together prove the fork.",
    ),
    "MANIFEST": Code(
        AUTHENTIC,
        FAIL,
        "MANIFEST.json is missing, malformed or not signed by the gateway's enrolled key.",
        _RESTORE,
    ),
    "FILE-MISSING": Code(
        AUTHENTIC,
        FAIL,
        "A file that manifest or log size demands is not there.",
        _RESTORE,
    ),
    "FILE-EXTRA": Code(
        AUTHENTIC, FAIL, "A file stands in the bundle that the manifest does not list.", _RESTORE
    ),
    "FILE-CHANGED": Code(
        AUTHENTIC, FAIL, "A file has not the size or SHA-256 that the manifest lists.", _RESTORE
    ),
    "CHECKPOINT": Code(
        AUTHENTIC,
        FAIL,
        "The checkpoint is malformed, of another log, or lacks one of the log's two signatures.",
        "Compare the log keys of the policy with the site's public.json.",
    ),
    "TILE": Code(AUTHENTIC, FAIL, "A hash tile is not the one that the entries give.", _RESTORE),
    "ENTRIES": Code(
        AUTHENTIC,
        FAIL,
        "An entry bundle has junk after its entries, is short, or does not match its tile.",
        _RESTORE,
    ),
    "ROOT": Code(
        AUTHENTIC,
        FAIL,
        "The entries do not lead to the root that the log signed.",
        _RESTORE,
    ),
    "ENTRY": Code(
        AUTHENTIC,
        FAIL,
        "An entry is neither statement nor permit in canonical form.",
        _RESTORE,
    ),
    "SIGNATURE": Code(
        AUTHENTIC, FAIL, "A statement's or permit's signature does not verify.", _RESTORE
    ),
    "UNENROLLED": Code(
        AUTHENTIC,
        FAIL,
        "An entry is signed by a key that no earlier entry enrolled for that role.",
        _KEYS,
    ),
    "ENROLMENT": Code(
        AUTHENTIC,
        FAIL,
        "A statement of the authority contradicts itself or the roster, and changes nothing.",
        _KEYS,
    ),
    "KEY-REPLACED": Code(
        AUTHENTIC,
        NOTICE,
        "A node has a further key: its board or its flash was replaced or wiped.",
        _KEYS,
    ),
    "WRONG-SIGNER": Code(
        AUTHENTIC,
        FAIL,
        "A statement's predicate, node, site or log does not belong to the key that signed it.",
        _KEYS,
    ),
    "KEY-REVOKED": Code(
        AUTHENTIC,
        FAIL,
        "A revoked key signed it beyond what the authority still trusts; it counts for nothing.",
        "Ask why the key was revoked; what is genuine the authority can list by leaf hash.",
    ),
    "KEY-ENDED": Code(
        AUTHENTIC,
        FAIL,
        "A retired, rotated or replaced key signed it beyond its end; it counts for nothing.",
        "Ask who still has that key; what is genuine the authority can list by leaf hash.",
    ),
    "KEY-ROTATED": Code(
        AUTHENTIC,
        NOTICE,
        "A key of the gateway or of the authority was followed by another, as the old one signed.",
        _KEYS,
    ),
    "REVOCATION": Code(
        AUTHENTIC,
        NOTICE,
        "The authority revoked a key; what it signed beyond that is told as KEY-REVOKED.",
        "Read the reason; ask what became of the board or the key.",
    ),
    "FORK-ANSWERED": Code(
        AUTHENTIC,
        NOTICE,
        "A key signed two statements of one number; the authority has since ended it before them.",
        "None; the statements from there on count for nothing.",
    ),
    "FORK-FALSE": Code(
        AUTHENTIC,
        FAIL,
        "A fork is stated whose two envelopes are not two of one key and number.",
        "The gateway states what it cannot show: ask its operator.",
    ),
    "COSIGNATURE": Code(
        AUTHENTIC,
        FAIL,
        "A witness of the policy is named on the checkpoint, and its cosignature does not verify.",
        "Ask the witness which head it cosigned.",
    ),
    "PERIOD-CLOSE": Code(
        AUTHENTIC,
        FAIL,
        "A period-close says otherwise than the statements of its period.",
        "Trust the statements; ask the operator how the close came about.",
    ),
    "ADMIN": Code(
        AUTHENTIC,
        NOTICE,
        "The gateway's clock was set, or something was deleted, as the gateway states.",
        "Ask for the reason where it matters.",
    ),
    "UNSUPPORTED": Code(
        AUTHENTIC,
        INSUFFICIENT,
        "The authority states something about the log's own keys, which are never replaced.",
        "Ask the authority; a new log begins under another origin.",
    ),
    "DOUBLE-NUMBER": Code(
        AUTHENTIC, FAIL, "One key has two entries of one number in the log.", _ASK
    ),
    "CHAIN-BROKEN": Code(
        AUTHENTIC, FAIL, "A statement does not name the envelope before it.", _ASK
    ),
    "FORK": Code(
        AUTHENTIC,
        FAIL,
        "One key signed two statements of one number: a clone, or a flash rolled back.",
        "Replace the board, enrol a new key, and judge what the key signed since.",
    ),
    "SEEN-FELL": Code(
        AUTHENTIC,
        FAIL,
        "A node has seen less of the log than before: its flash was rolled back.",
        _ASK,
    ),
    "SEEN-AHEAD": Code(
        AUTHENTIC,
        FAIL,
        "A node has seen a larger log than there was: the log was rolled back or forked.",
        "Restore the newest evidence database and log folder; compare with other checkpoints.",
    ),
    "SEEN-MISMATCH": Code(
        AUTHENTIC,
        FAIL,
        "A node has seen another root for a size than this log has: the log was forked.",
        "Keep the bundle; compare with other checkpoints.",
    ),
    "RECEIPT-BAD": Code(
        AUTHENTIC,
        INSUFFICIENT,
        "A node was given receipts that do not verify, and believed none of them.",
        "Look who can write to the broker; compare the log's heads with a witness's.",
    ),
    "UNRECEIPTED": Code(
        AUTHENTIC,
        NOTICE,
        "A node's statements had no receipts for longer than gap_s_max.",
        "Compare with the stated outages; without one, receipts were withheld.",
    ),
    "FORK-OR-BAD-PROOF": Code(
        AUTHENTIC,
        FAIL,
        "A witness refused a head: what it cosigned before is not a part of this log.",
        "Stop. Compare the witness's heads/ and refused/ with the log: one of them was changed.",
    ),
    "WITNESS-AHEAD": Code(
        AUTHENTIC,
        FAIL,
        "A witness has cosigned a larger log than there is: the log was rolled back.",
        "Restore the newest evidence database and log folder; compare with other checkpoints.",
    ),
    "BAD-ANCHOR": Code(
        AUTHENTIC,
        FAIL,
        "A cosigned checkpoint or token that came is not of a head of this log.",
        "Ask who made it; a head that our keys signed and that is not in the log is a fork.",
    ),
    "MISSING": Code(
        COMPLETE, FAIL, "A statement that its successor names is not in the log.", _ASK
    ),
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
        COMPLETE, FAIL, "A register that only grows is lower than before, or is gone.", _ASK
    ),
    "BOOT-FELL": Code(
        COMPLETE, FAIL, "A node's boot counter fell: its flash was rolled back.", _ASK
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
        _ASK,
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
    "FRAME-FILE": Code(
        AUTHENTIC,
        FAIL,
        "A file of frames is malformed, misnamed, out of order, or of another node, key or boot.",
        _RESTORE,
    ),
    "FRAME-CHANGED": Code(
        AUTHENTIC,
        FAIL,
        "A frame is not the one that the node signed: its bytes lead to another SHA-256 (class D).",
        "Take a new export; if it shows the same, the archive of frames was changed.",
    ),
    "FRAME-EXTRA": Code(
        AUTHENTIC,
        FAIL,
        "The bundle has frames of a key that has no statement in the log.",
        _KEYS,
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
        _ASK,
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
        _ASK,
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
        _ASK,
    ),
    "RUN-MISMATCH": Code(
        COMPLETE,
        FAIL,
        "Run time does not fit the run contact: it grew while open, or not while closed (class D).",
        _ASK,
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
    "CALIBRATION-UNDECLARED": Code(
        COMPLETE,
        INSUFFICIENT,
        "A board's calibration digest changed, and no activity on its machines says why (class D).",
        "Ask for the calibration record.",
    ),
    "FLOW-WITHOUT-RUN": Code(
        LICENCE,
        INSUFFICIENT,
        "A machine had flow for 5 min and more without any run time (class I).",
        "Inspect run contact and seals; ask what was pumped: flushing a standing machine is one.",
    ),
    "RUN-WITHOUT-FLOW": Code(
        LICENCE,
        INSUFFICIENT,
        "A machine ran for 10 min and more without any flow (class I).",
        "Inspect run contact and flow meter; a machine that idles is one.",
    ),
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
        _ASK,
    ),
    "POSTDATED": Code(
        TIME,
        FAIL,
        "A statement's time is after an outside time at which it was already in the log.",
        _ASK,
    ),
    "CLOCK": Code(
        TIME,
        INSUFFICIENT,
        "A statement was made without a synchronised clock (state U, I or R).",
        "Judge its time by its neighbours in the log.",
    ),
    "TIME-BACK": Code(
        TIME, FAIL, "A node's time or uptime went back over 2 s between two statements.", _ASK
    ),
    "REFUSED": Code(
        LICENCE,
        NOTICE,
        "A start was asked for without a permit and was refused: the permissive did its work.",
        "None; ask why it was tried.",
    ),
    "STARTED-ANYWAY": Code(
        LICENCE,
        FAIL,
        "Equipment started without a permit: its contact was bridged, or started by hand.",
        "Inspect contact and seals; ask for the reason.",
    ),
    "FOUND-RUNNING": Code(
        LICENCE,
        NOTICE,
        "Equipment was running when its node's key began.",
        "Compare with the machine's own hour meter.",
    ),
    "RAN-ON": Code(
        LICENCE,
        NOTICE,
        "Equipment ran on after permit and grace had ended; running equipment is never stopped.",
        "Ask when it was stopped.",
    ),
    "USE-WITHOUT-LICENCE": Code(
        LICENCE, FAIL, "Equipment was used, and no licence for its serial is in the bundle.", _ASK
    ),
    "START-OUTSIDE-LICENCE": Code(
        LICENCE, FAIL, "Equipment started at a time when no licence for it was in force.", _ASK
    ),
    "USE-TIME-UNKNOWN": Code(
        LICENCE,
        INSUFFICIENT,
        "Equipment was used while its node knew no time.",
        "Judge by the neighbours in the log.",
    ),
    "LICENCE-UNAUTHENTICATED": Code(
        LICENCE,
        INSUFFICIENT,
        "A licence that permits rest on is neither listed in the policy nor signed by its issuers.",
        "Compare the file with what the authority issued; if it is the same, list its SHA-256.",
    ),
    "LICENCE-ABSENT": Code(
        LICENCE,
        INSUFFICIENT,
        "The licence file that permits name by digest is not in the bundle, or cannot be read.",
        "Ask for the licence file of that SHA-256.",
    ),
    "PERMIT-BEYOND-LICENCE": Code(
        LICENCE,
        FAIL,
        "A permit goes beyond its licence: machine, stages, dates, grace, or over 7 days.",
        "The permit key's holder gave leave that the licence does not: ask him.",
    ),
    "PERMIT-LIMIT": Code(
        LICENCE,
        FAIL,
        "A permit's run limit is above register + life + grace at its issue.",
        "The permit key's holder gave leave that protocol 5 does not: ask him.",
    ),
    "PERMIT-SERIAL": Code(
        LICENCE, FAIL, "A permit's serial did not grow for its key and equipment.", _KEYS
    ),
    "PERMIT-UNKNOWN": Code(
        LICENCE,
        FAIL,
        "A statement names a permit that is not in the log before it.",
        "The permit key was used outside the gateway: replace it.",
    ),
}
