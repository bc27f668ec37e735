"""The members all statements share, and the predicates that nodes sign (notation: record.py)."""

COMMON = (
    "v:uint log:origin site:id node:signer keyid:keyid seq:positive prev:digest boot:uint? "
    "upMs:uint? timeMs:uint? clock:U|S|I|R? firmware:digest? config:digest? calibration:digest? "
    "unreceipted:uint? seen:Seen? registers:Registers*4?"
)
_USE = "interval:Interval frames:Frames? equipment:Use*4 why:text?"
# What gap and denial say when the gateway makes them; null in a node's own.
_BY_GATEWAY = " about:About? actor:Actor?"
SIGNERS = {
    "boot": ("node",),
    "usage": ("node",),
    "heartbeat": ("node",),
    "gap": ("node", "gateway"),
    "denial": ("node", "gateway"),
}
PREDICATES = {
    "boot": (
        "spki:b64 resetCause:text lost:Lost? restored:Restored? foundRunning:id*4 claims:Claims "
        "tier:uint"
    ),
    "usage": _USE,
    "heartbeat": _USE,
    "gap": (
        "what:frames|statements|metering|sensors|clock frames:Frames? fromMs:uint? toMs:uint? "
        "fromUpMs:uint? toUpMs:uint? cause:text registersFrom:Registers*4? "
        "registersTo:Registers*4? statements:Range?" + _BY_GATEWAY
    ),
    "denial": (
        "kind:REFUSED|STARTED-ANYWAY equipment:id reason:code permit:uint? count:positive "
        "fromMs:uint? toMs:uint?" + _BY_GATEWAY
    ),
}
RECORDS = {
    "Seen": "size:uint root:digest",
    "Registers": "id:id runMs:uint starts:uint volumeMl:uint",
    "Lost": "boot:uint frameSeq:uint atMostMs:uint",
    "Restored": "seq:positive head:digest",
    "Claims": (
        "ueid:text? hwmodel:text? hwversion:text? swname:text? swversion:text? oemboot:bool? "
        "dbgstat:text?"
    ),
    "Interval": "fromUpMs:uint toUpMs:uint fromMs:uint? toMs:uint?",
    "Frames": "boot:uint first:uint last:uint head:digest",
    "Use": (
        "id:id state:text run:bool runMs:uint starts:uint volumeMl:uint permit:uint? "
        "startRequests:uint"
    ),
    "Range": "first:positive last:positive",
    "About": "node:signer keyid:keyid",
    "Actor": "id:text role:text auth:text",
}
