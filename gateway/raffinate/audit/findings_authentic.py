"""Findings about all four questions, and about whether the log is authentic (docs/findings.md)."""

from __future__ import annotations

from raffinate.audit.findings_code import (
    ASK,
    AUTHENTIC,
    FAIL,
    INSUFFICIENT,
    KEYS,
    NOTICE,
    RESTORE,
    Code,
)

ALL_FOUR: dict[str, Code] = {
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
    "LOG-UNREAD": Code(
        None,
        INSUFFICIENT,
        "The log's head or entries cannot be read: what the rest would say is not known.",
        "See the finding about the same file; take a new export from the gateway.",
    ),
}
ABOUT_AUTHENTIC: dict[str, Code] = {
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
        RESTORE,
    ),
    "FILE-MISSING": Code(
        AUTHENTIC,
        FAIL,
        "A file that manifest or log size demands is not there.",
        RESTORE,
    ),
    "FILE-EXTRA": Code(
        AUTHENTIC, FAIL, "A file stands in the bundle that the manifest does not list.", RESTORE
    ),
    "FILE-CHANGED": Code(
        AUTHENTIC, FAIL, "A file has not the size or SHA-256 that the manifest lists.", RESTORE
    ),
    "CHECKPOINT": Code(
        AUTHENTIC,
        FAIL,
        "The checkpoint is malformed, of another log, or lacks one of the log's two signatures.",
        "Compare the log keys of the policy with the site's public.json.",
    ),
    "TILE": Code(AUTHENTIC, FAIL, "A hash tile is not the one that the entries give.", RESTORE),
    "ENTRIES": Code(
        AUTHENTIC,
        FAIL,
        "An entry bundle has junk after its entries, is short, or does not match its tile.",
        RESTORE,
    ),
    "ROOT": Code(
        AUTHENTIC,
        FAIL,
        "The entries do not lead to the root that the log signed.",
        RESTORE,
    ),
    "ENTRY": Code(
        AUTHENTIC,
        FAIL,
        "An entry is neither statement nor permit in canonical form.",
        RESTORE,
    ),
    "SIGNATURE": Code(
        AUTHENTIC, FAIL, "A statement's or permit's signature does not verify.", RESTORE
    ),
    "UNENROLLED": Code(
        AUTHENTIC,
        FAIL,
        "An entry is signed by a key that no earlier entry enrolled for that role.",
        KEYS,
    ),
    "ENROLMENT": Code(
        AUTHENTIC,
        FAIL,
        "A statement of the authority contradicts itself or the roster, and changes nothing.",
        KEYS,
    ),
    "ENROLMENT-REPEATED": Code(
        AUTHENTIC,
        NOTICE,
        "The authority brought in a key again, by the same words as before: nothing changes.",
        "None.",
    ),
    "KEY-REPLACED": Code(
        AUTHENTIC,
        NOTICE,
        "A node has a further key: its board or its flash was replaced or wiped.",
        KEYS,
    ),
    "WRONG-SIGNER": Code(
        AUTHENTIC,
        FAIL,
        "A statement's predicate, node, site or log does not belong to the key that signed it.",
        KEYS,
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
        KEYS,
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
        AUTHENTIC, FAIL, "One key has two entries of one number in the log.", ASK
    ),
    "CHAIN-BROKEN": Code(AUTHENTIC, FAIL, "A statement does not name the envelope before it.", ASK),
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
        ASK,
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
    "FRAME-FILE": Code(
        AUTHENTIC,
        FAIL,
        "A file of frames is malformed, misnamed, out of order, or of another node, key or boot.",
        RESTORE,
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
        KEYS,
    ),
}
