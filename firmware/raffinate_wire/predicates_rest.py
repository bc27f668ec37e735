"""The predicates that only the gateway or the authority signs. A board never loads this file."""

SIGNERS = {
    "activity": ("gateway",),
    "licence": ("gateway",),
    "document": ("gateway",),
    "admin": ("gateway",),
    "period-close": ("gateway",),
    "time-anchor": ("gateway",),
    "fork": ("gateway",),
    "enrol": ("authority",),
    "rotate": ("authority",),
    "revoke": ("authority",),
    "retire": ("authority",),
}
PREDICATES = {
    "activity": (
        "kind:assembly|commissioning|maintenance|repair|upgrade|calibration equipment:id "
        "workOrder:digest? fromMs:uint toMs:uint? details:digest? actor:Actor"
    ),
    "licence": "licence:text sha256:digest replaces:digest? actor:Actor",
    "document": (
        "kind:code name:text version:positive sha256:digest replaces:digest? "
        "action:add|hold|release|delete actor:Actor"
    ),
    "admin": (
        "action:time-set|user|role|configuration|deletion|export|outage-begin|outage-end "
        "object:digest? before:digest? after:digest? fromMs:uint? toMs:uint? actor:Actor"
    ),
    "period-close": (
        "from:uint to:uint fromMs:uint toMs:uint part:positive parts:positive nodes:Close*8 "
        "late:uint*64 actor:Actor"
    ),
    "time-anchor": (
        "kind:cosignature|rfc3161 source:text size:uint root:digest anchorMs:uint token:digest "
        "actor:Actor"
    ),
    "fork": "about:About forkSeq:positive index:uint second:digest actor:Actor",
    "enrol": "role:node|gateway|permit name:signer key:keyid spki:b64 opening:Opening?",
    "rotate": (
        "role:authority|gateway|permit|log name:signer key:keyid spki:b64 predecessor:Predecessor"
    ),
    "revoke": (
        "role:authority|node|gateway|permit|log name:signer key:keyid lastSeq:uint reason:text "
        "trusted:digest*32"
    ),
    "retire": (
        "role:authority|node|gateway|permit|log name:signer key:keyid lastSeq:uint head:digest "
        "reason:text"
    ),
}
RECORDS = {
    "Close": (
        "node:signer keyid:keyid firstSeq:positive lastSeq:positive head:digest "
        "registers:Registers*4 gaps:uint*16 hourMeters:Meter*4"
    ),
    "Meter": "id:id minutes:uint?",
    "Opening": "keyid:keyid seq:uint head:digest registers:Registers*4",
    "Predecessor": "keyid:keyid seq:uint head:digest",
}
