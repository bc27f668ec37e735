"""Findings about licences: permits, starts, use, papers and rules (docs/findings.md)."""

from __future__ import annotations

from raffinate.audit.findings_code import (
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    KEYS,
    LICENCE,
    NOTICE,
    Code,
)

ABOUT_LICENCE: dict[str, Code] = {
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
        LICENCE,
        FAIL,
        "Equipment was used, and no licence for its serial is in the bundle.",
        "Ask for the licence and list its SHA-256; without one, ask what the use was for.",
    ),
    "START-OUTSIDE-LICENCE": Code(
        LICENCE,
        FAIL,
        "Equipment started at a time when no licence for it was in force.",
        "Ask who started it and why; inspect contact and seals; ask for a licence of that time.",
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
        LICENCE, FAIL, "A permit's serial did not grow for its key and equipment.", KEYS
    ),
    "PERMIT-UNKNOWN": Code(
        LICENCE,
        FAIL,
        "A statement names a permit that is not in the log before it.",
        "The permit key was used outside the gateway: replace it.",
    ),
    "USE-OUTSIDE-LICENCE": Code(
        LICENCE,
        FAIL,
        "Equipment ran when no licence for it was in force, nor the grace of one (class D).",
        "Ask when it was stopped, and why it was not before.",
    ),
    "LICENCE-SUPERSEDED": Code(
        LICENCE,
        FAIL,
        "A permit was given under a version of a licence that a later one had replaced (class D).",
        "Compare the two versions; ask why no permit of the later one was given.",
    ),
    "QUOTA-EXCEEDED": Code(
        LICENCE,
        FAIL,
        "More was used in a period than the licence's quota (classes D and I).",
        "Read the quota's table in the report; ask for what the use was.",
    ),
    "SCOPE-EXCEEDED": Code(
        LICENCE,
        FAIL,
        "Site, seal, stages, sections or activity are not what the licence allows (class D or I).",
        "Compare the machine's descriptor and work orders with the licence.",
    ),
    "PRODUCT-EXCEEDED": Code(
        LICENCE,
        FAIL,
        "A document names an element or purity that the licence does not allow (class X).",
        "Read the assay or lot that the finding names.",
    ),
    "END-USE": Code(
        LICENCE,
        FAIL,
        "A document contradicts end use, end user, or what was promised of parties (class X).",
        "Read the document that the finding names; ask the licence's issuer.",
    ),
    "DUTY-LATE": Code(
        LICENCE,
        FAIL,
        "A report that the licence demands came late, or never (class D).",
        "Ask for the report, and the receipt of whom it was due to.",
    ),
    "DISCHARGE": Code(
        LICENCE,
        FAIL,
        "An outfall was measured outside the licence's limits (class D or I).",
        "Look at the frames of that time; ask what was discharged.",
    ),
    "CHANGED-UNDECLARED": Code(
        LICENCE,
        FAIL,
        "Firmware, configuration or calibration changed, and no activity says why (class D).",
        "Ask for the work order; compare the digest with the released ones.",
    ),
    "CONDITION-FAILED": Code(
        LICENCE,
        FAIL,
        "Another condition of the licence, which the finding names, was not kept.",
        "Read the condition's inputs in the report.",
    ),
    "EXPIRED-RULE": Code(
        LICENCE,
        EXPIRED_RULE,
        "The licence rests on a rule past its review: nobody has said since that it is still so.",
        "Get the regime's newest version from whom you trust; list its SHA-256 in the policy.",
    ),
    "RULE-UNKNOWN": Code(
        LICENCE,
        INSUFFICIENT,
        "How a rule stood is not known: no regime that counts has it, or its sources conflict.",
        "List the regime's SHA-256 in the policy, or ask counsel how the rule stood.",
    ),
    "X-WITHOUT-PAPER": Code(
        LICENCE,
        INSUFFICIENT,
        "No sensor shows this condition, and no document that somebody vouches for does (class X).",
        "Ask for the document; list its SHA-256 in the policy, or have its issuer sign it.",
    ),
    "CONDITION-UNKNOWN": Code(
        LICENCE,
        INSUFFICIENT,
        "Whether a condition of the licence was kept is not shown by this bundle (class D or I).",
        "Ask for an export with frames and documents, or judge by an inspection.",
    ),
    "DOCUMENT-UNAUTHENTICATED": Code(
        LICENCE,
        NOTICE,
        "Nobody whom the policy trusts vouches for a document of the log: it proves nothing.",
        "Compare it with its issuer; if it is the same, list its SHA-256.",
    ),
    "DOCUMENT-ABSENT": Code(
        LICENCE,
        NOTICE,
        "A document that the log states is not in the bundle, or says otherwise than stated.",
        "Ask for the file of that SHA-256.",
    ),
    "DOCUMENT-ORDER": Code(
        LICENCE,
        FAIL,
        "A version of a document does not follow the one before: versions are never overwritten.",
        "Ask for every version, and who changed the register.",
    ),
    "DOCUMENT-HELD": Code(
        LICENCE,
        FAIL,
        "A document was deleted while a hold was on it.",
        "Ask who lifted the hold, and on whose word.",
    ),
}
