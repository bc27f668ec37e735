"""Signs as boards, gateway and authority do, with `raffinate_wire`'s formats and OpenSSL's keys."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from raffinate.evidence import dsse
from raffinate.keys import KeyPair, spki_of
from raffinate.tlog.hashing import leaf_hash
from raffinate_wire.statement import EMPTY_ROOT, format_statement

ORIGIN = "demo.example/raffinate/ndpr"
SITE = "ndpr"
DIGEST = sha256(b"some file").hexdigest()
CLAIMS = dict.fromkeys(
    ("ueid", "hwmodel", "hwversion", "swname", "swversion", "oemboot", "dbgstat")
)


def pair(number, name="node"):
    key = ec.derive_private_key(number, ec.SECP256R1())
    return KeyPair(name, key, spki_of(key))


class SimulatedNode:
    """A board's signer: chain, registers, boot counter. Every method returns an envelope."""

    def __init__(self, node="n01", number=1001, equipment=("bat-ext",), origin=ORIGIN, site=SITE):
        self.node, self.origin, self.site = node, origin, site
        self.pair = pair(number, node)
        self.keyid = self.pair.keyid
        self.seq, self.prev, self.boot_number, self.up_ms = 0, bytes(32), 1, 0
        self.time_ms = 1_795_255_200_000
        self.clock = "S"
        self.seen = {"size": 0, "root": EMPTY_ROOT}
        self.unreceipted = 0
        self.registers = {name: [0, 0, 0] for name in equipment}
        self.subject = [(f"equipment/{name}.toml", DIGEST) for name in equipment] or [
            ("config", DIGEST)
        ]
        self.config = DIGEST
        self.sent = {}

    def common(self):
        return {
            "log": self.origin,
            "site": self.site,
            "node": self.node,
            "keyid": self.keyid,
            "seq": self.seq,
            "prev": self.prev.hex(),
            "boot": self.boot_number,
            "upMs": self.up_ms,
            "timeMs": None if self.clock == "U" else self.time_ms,
            "clock": self.clock,
            "firmware": DIGEST,
            "config": self.config,
            "calibration": DIGEST,
            "unreceipted": self.unreceipted,
            "seen": dict(self.seen),
            "registers": self.register_list(),
        }

    def register_list(self):
        return [
            {"id": name, "runMs": run, "starts": starts, "volumeMl": volume}
            for name, (run, starts, volume) in self.registers.items()
        ]

    def sign(self, kind, specific, **changes):
        self.seq += 1
        self.up_ms += 1000
        self.time_ms += 1000
        payload = format_statement(self.subject, kind, {**self.common(), **changes}, specific)
        envelope = dsse.sign(payload, dsse.STATEMENT, self.pair)
        self.prev = leaf_hash(envelope)
        self.sent[self.seq] = envelope
        return envelope

    def boot(self, lost=None, **changes):
        specific = {
            "spki": self.pair.spki,
            "resetCause": "power-on",
            "lost": lost,
            "restored": None,
            "foundRunning": [],
            "claims": CLAIMS,
            "tier": 0,
        }
        return self.sign("boot", specific, **changes)

    def usage(self, run_ms=10_000, permit=None, state="compliant", frames=None, **changes):
        uses = []
        for name, values in self.registers.items():
            values[0] += run_ms
            values[2] += run_ms // 10
            uses.append(
                {
                    "id": name,
                    "state": state,
                    "run": run_ms > 0,
                    "runMs": run_ms,
                    "starts": 0,
                    "volumeMl": run_ms // 10,
                    "permit": permit,
                    "startRequests": 0,
                }
            )
        specific = {
            "interval": {
                "fromUpMs": self.up_ms,
                "toUpMs": self.up_ms + 1000,
                "fromMs": None if self.clock == "U" else self.time_ms,
                "toMs": None if self.clock == "U" else self.time_ms + 1000,
            },
            "frames": frames,
            "equipment": uses,
            "why": None,
        }
        return self.sign("usage" if run_ms else "heartbeat", specific, **changes)

    def gap(self, boot, first, last, **changes):
        specific = {
            "what": "frames",
            "frames": {"boot": boot, "first": first, "last": last, "head": DIGEST},
            "fromMs": None,
            "toMs": None,
            "fromUpMs": 0,
            "toUpMs": 1000,
            "cause": "overflow",
            "registersFrom": self.register_list(),
            "registersTo": self.register_list(),
            "statements": None,
            "about": None,
            "actor": None,
        }
        return self.sign("gap", specific, **changes)

    def denial(self, kind="REFUSED", equipment="bat-ext", reason="permit-ended", **changes):
        specific = {
            "kind": kind,
            "equipment": equipment,
            "reason": reason,
            "permit": None,
            "count": 1,
            "fromMs": None if self.clock == "U" else self.time_ms,
            "toMs": None if self.clock == "U" else self.time_ms,
            "about": None,
            "actor": None,
        }
        return self.sign("denial", specific, **changes)

    def skip(self, count=1):
        """A power cut between persisting the number and signing."""
        self.seq += count
