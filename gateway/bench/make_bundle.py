"""A whole audit bundle of any size, with real keys and signatures.

Several nodes, one statement a minute each, permits, a witness and its anchors. Written as it
grows, so that memory does not.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from raffinate.audit.forest import top_of
from raffinate.evidence import dsse
from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint
from raffinate.tlog.cosignature import CosignatureSigner, format_signatures
from raffinate.tlog.hashing import fold, leaf_hash, node_hash
from raffinate.tlog.note import EcdsaSigner, Ed25519Signer, sign_note
from raffinate.tlog.tiles import TILE_WIDTH, encode_bundle, entries_path, tile_path
from raffinate_wire.permit import format_permit
from raffinate_wire.statement import EMPTY_ROOT, format_statement

ORIGIN, SITE = "bench.example/raffinate/bench", "bench"
START_MS, STEP_MS = 1_795_255_200_000, 60_000
DAY_MS = 86_400_000
PERMIT_MS = 6 * DAY_MS
ROUNDS_AN_ANCHOR = 360
ACTOR = {"id": "bench", "role": "operator", "auth": "none"}
CLAIMS = dict.fromkeys(
    ("ueid", "hwmodel", "hwversion", "swname", "swversion", "oemboot", "dbgstat")
)


class Pair:
    """A P-256 key, its chain, its name."""

    def __init__(self, node: str, number: int) -> None:
        self.node = node
        self.private = ec.derive_private_key(number, ec.SECP256R1())
        self.spki = self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.keyid = sha256(self.spki).hexdigest()
        self.seq, self.prev = 0, "0" * 64


@dataclass
class Log:
    """The growing log in its folder."""

    folder: Path
    size: int = 0
    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    peaks: list[tuple[int, bytes]] = field(default_factory=list)
    files: list[dict[str, object]] = field(default_factory=list)

    def append(self, entry: bytes) -> bytes:
        """Take an entry; its leaf hash."""
        leaf = leaf_hash(entry)
        self.entries.append(entry)
        self.leaves.append(leaf)
        level, value = 0, leaf
        while self.peaks and self.peaks[-1][0] == level:
            value = node_hash(self.peaks.pop()[1], value)
            level += 1
        self.peaks.append((level, value))
        self.size += 1
        if len(self.entries) == TILE_WIDTH:
            self.flush()
        return leaf

    def root(self) -> bytes:
        """The root over all."""
        return fold([value for _, value in self.peaks])

    def flush(self) -> None:
        """Write what was not written yet as a bundle and its tile."""
        index, width = (self.size - 1) // TILE_WIDTH, len(self.entries)
        self.write(f"log/{entries_path(index, width)}", encode_bundle(self.entries))
        self.write(f"log/{tile_path(0, index, width)}", b"".join(self.leaves))
        if width == TILE_WIDTH:
            self._up(1, top_of(self.leaves))
        self.entries, self.leaves = [], []

    def finish(self) -> None:
        """Write the partial tiles."""
        if self.entries:
            self.flush()
        for level, row in enumerate(self.levels):
            if level and len(row) % TILE_WIDTH:
                index = self._index(level)
                self.write(f"log/{tile_path(level, index, len(row))}", b"".join(row))

    def write(self, path: str, data: bytes) -> None:
        """A file of the bundle."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        digest = sha256(data).hexdigest()
        self.files.append({"path": path, "size": len(data), "sha256": digest})

    def _index(self, level: int) -> int:
        return self.size // TILE_WIDTH ** (level + 1)

    def _up(self, level: int, value: bytes) -> None:
        while len(self.levels) <= level:
            self.levels.append([])
        row = self.levels[level]
        row.append(value)
        if len(row) == TILE_WIDTH:
            index = self._index(level) - 1
            self.write(f"log/{tile_path(level, index, TILE_WIDTH)}", b"".join(row))
            self.levels[level] = []
            self._up(level + 1, top_of(row))


class Maker:
    """Signs as authority, gateway, permit key, nodes, log and witness."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.log = Log(folder)
        self.authority, self.gateway = Pair("authority", 11), Pair("gateway", 12)
        self.permit = Pair("gateway", 13)
        self.nodes = [Pair(f"n{number:02d}", 1000 + number) for number in range(1, nodes + 1)]
        ed25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        p256 = ec.derive_private_key(14, ec.SECP256R1())
        self.signers = (Ed25519Signer(ORIGIN, ed25519), EcdsaSigner(ORIGIN, p256))
        witness = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
        self.witness = CosignatureSigner("witness.example", witness)
        self.seen = {"size": 0, "root": EMPTY_ROOT}
        self.time_ms = START_MS
        self.licences: dict[str, str] = {}
        self.subjects: dict[str, list[tuple[str, str]]] = {}
        self.permit_end_ms = 0
        self.serial = 0

    def begin(self) -> None:
        """Roster, licences, descriptors, boots."""
        self.enrol("gateway", self.gateway)
        self.enrol("permit", self.permit)
        for node in self.nodes:
            self.enrol("node", node)
        for number, node in enumerate(self.nodes):
            serial = f"SN-{number}"
            descriptor = (
                f'serial = "{serial}"\nstages = ["e01"]\nsections = ["extraction"]\n'.encode()
            )
            licence = (
                f'number = "L-{number}"\nissuer = "Authority"\nequipment = "{serial}"\n'
                'stages = ["e01"]\nfrom = 2026-01-01T00:00:00Z\nto = 2040-01-01T00:00:00Z\n'
                "grace_s = 0\n"
            ).encode()
            digests = [sha256(data).hexdigest() for data in (descriptor, licence)]
            self.log.write(f"equipment/{digests[0]}.toml", descriptor)
            self.log.write(f"licences/{digests[1]}.toml", licence)
            self.licences[node.node] = digests[1]
            name = f"m-{node.node}"
            self.subjects[node.node] = [
                (f"equipment/{name}.toml", digests[0]),
                (f"licences/L-{number}.toml", digests[1]),
            ]
            self.state(
                self.gateway,
                "licence",
                {
                    "licence": f"L-{number}",
                    "sha256": digests[1],
                    "replaces": None,
                    "actor": ACTOR,
                },
                [(f"licences/L-{number}.toml", digests[1])],
            )
        self.permits(0)
        for node in self.nodes:
            specific = {
                "spki": node.spki,
                "resetCause": "power-on",
                "lost": None,
                "restored": None,
                "foundRunning": [],
                "claims": CLAIMS,
                "tier": 0,
            }
            self.state(node, "boot", specific, self.subjects[node.node], self.board(node, 0))
        self.see()
        self.anchor()

    def board(self, node: Pair, run_ms: int) -> dict[str, object]:
        """What a node's statement says of its board."""
        registers = [{"id": f"m-{node.node}", "runMs": run_ms, "starts": 1, "volumeMl": run_ms}]
        digest = "ab" * 32
        return {
            "boot": 1,
            "upMs": self.time_ms - START_MS,
            "clock": "S",
            "firmware": digest,
            "config": digest,
            "calibration": digest,
            "unreceipted": 0,
            "seen": self.seen,
            "registers": registers,
        }

    def state(
        self,
        pair: Pair,
        kind: str,
        specific: dict[str, Any],
        subject: list[tuple[str, str]],
        board: dict[str, Any] | None = None,
    ) -> None:
        """A statement of any kind."""
        pair.seq += 1
        common = {
            "log": ORIGIN,
            "site": SITE,
            "node": pair.node,
            "keyid": pair.keyid,
            "seq": pair.seq,
            "prev": pair.prev,
            "timeMs": self.time_ms,
            **(board or {}),
        }
        self.put(pair, format_statement(subject, kind, common, specific))

    def put(self, pair: Pair, payload: bytes) -> None:
        """Sign a payload as the next of its key."""
        pair.prev = self.log.append(dsse.sign(payload, dsse.STATEMENT, pair)).hex()

    def enrol(self, role: str, pair: Pair) -> None:
        """Bring in a key."""
        specific = {
            "role": role,
            "name": pair.node,
            "key": pair.keyid,
            "spki": pair.spki,
            "opening": None,
        }
        self.state(self.authority, "enrol", specific, [(f"key/{pair.node}", pair.keyid)])

    def permits(self, run_ms: int) -> None:
        """A permit for each machine, good for `PERMIT_MS`."""
        self.serial += 1
        for number, node in enumerate(self.nodes):
            payload = format_permit(
                self.serial,
                SITE,
                node.node,
                node.keyid,
                f"m-{node.node}",
                f"L-{number}",
                self.licences[node.node],
                "",
                ["e01"],
                self.time_ms,
                self.time_ms,
                self.time_ms + PERMIT_MS,
                0,
                run_ms + PERMIT_MS,
            )
            self.log.append(dsse.sign(payload, dsse.PERMIT, self.permit))
        self.permit_end_ms = self.time_ms + PERMIT_MS

    def see(self) -> None:
        """Let the nodes know the log as it is."""
        self.seen = {"size": self.log.size, "root": self.log.root().hex()}

    def cosigned(self) -> bytes:
        """The checkpoint with the log's signatures and the witness's."""
        text = format_checkpoint(Checkpoint(ORIGIN, self.log.size, self.log.root()))
        line = self.witness.cosign(text, self.time_ms // 1000)
        return sign_note(text, self.signers) + format_signatures([line])

    def anchor(self) -> None:
        """The witness's word on the log so far, kept as a blob and stated."""
        note = self.cosigned()
        digest = sha256(note).hexdigest()
        self.log.write(f"blobs/{digest}", note)
        specific = {
            "kind": "cosignature",
            "source": "witness.example",
            "size": self.log.size,
            "root": self.log.root().hex(),
            "anchorMs": self.time_ms // 1000 * 1000,
            "token": digest,
            "actor": ACTOR,
        }
        self.state(self.gateway, "time-anchor", specific, [("log/checkpoint", digest)])

    def round(self, number: int) -> None:
        """A usage statement of every node, as text: the wire package would take too long."""
        self.time_ms += STEP_MS
        up_ms, digest = self.time_ms - START_MS, "ab" * 32
        run_ms = number * STEP_MS
        size, root = self.seen["size"], self.seen["root"]
        for node in self.nodes:
            name = f"m-{node.node}"
            subject = ",".join(
                f'{{"name":"{path}","digest":{{"sha256":"{value}"}}}}'
                for path, value in self.subjects[node.node]
            )
            node.seq += 1
            first = 60 * (number - 1)
            payload = (
                f'{{"_type":"https://in-toto.io/Statement/v1","subject":[{subject}],'
                '"predicateType":"urn:raffinate:usage:v1","predicate":{"v":1,'
                f'"log":"{ORIGIN}","site":"{SITE}","node":"{node.node}","keyid":"{node.keyid}",'
                f'"seq":{node.seq},"prev":"{node.prev}","boot":1,"upMs":{up_ms},'
                f'"timeMs":{self.time_ms},"clock":"S","firmware":"{digest}","config":"{digest}",'
                f'"calibration":"{digest}","unreceipted":0,"seen":{{"size":{size},"root":"{root}"}},'
                f'"registers":[{{"id":"{name}","runMs":{run_ms},"starts":1,"volumeMl":{run_ms}}}],'
                f'"interval":{{"fromUpMs":{up_ms - STEP_MS},"toUpMs":{up_ms},'
                f'"fromMs":{self.time_ms - STEP_MS},"toMs":{self.time_ms}}},'
                f'"frames":{{"boot":1,"first":{first},"last":{first + 59},"head":"{node.prev}"}},'
                f'"equipment":[{{"id":"{name}","state":"compliant","run":true,"runMs":{STEP_MS},'
                f'"starts":{1 if number == 1 else 0},"volumeMl":{STEP_MS},"permit":{self.serial},'
                '"startRequests":0}],"why":null}}'
            )
            self.put(node, payload.encode())
        self.see()
        if number % ROUNDS_AN_ANCHOR == 0:
            self.anchor()
        if self.time_ms + STEP_MS > self.permit_end_ms:
            self.permits(run_ms)

    def finish(self) -> None:
        """Checkpoint and manifest."""
        self.log.finish()
        self.time_ms += 1000
        self.log.write("log/checkpoint", self.cosigned())
        manifest = {
            "v": 1,
            "origin": ORIGIN,
            "createdMs": self.time_ms,
            "fromMs": None,
            "toMs": None,
            "files": self.log.files,
        }
        data = json.dumps(manifest, separators=(",", ":")).encode()
        envelope = dsse.sign(data, dsse.MANIFEST, self.gateway)
        (self.log.folder / "MANIFEST.json").write_bytes(envelope)

    def policy(self) -> str:
        """The auditor's policy for this bundle."""
        keys = ", ".join(f'"{signer.verifier.vkey()}"' for signer in self.signers)
        licences = ", ".join(f'"{digest}"' for digest in self.licences.values())
        serials = ", ".join(f'"SN-{number}"' for number in range(len(self.nodes)))
        authority = b64encode(self.authority.spki).decode()
        return (
            f'v = 1\n[log]\norigin = "{ORIGIN}"\nkeys = [{keys}]\n[authority]\n'
            f'key = "{authority}"\n[licences]\nsha256 = [{licences}]\n'
            f"[equipment]\nserials = [{serials}]\n[witnesses]\n"
            f'keys = ["{self.witness.verifier.vkey()}"]\nquorum = 1\n'
        )


def make_bundle(folder: Path, statements: int, nodes: int = 8) -> Maker:
    """Write a bundle of at least `statements` usage statements into an empty folder."""
    folder.mkdir(parents=True)
    maker = Maker(folder, nodes)
    maker.begin()
    for number in range(1, -(-statements // nodes) + 1):
        maker.round(number)
    maker.finish()
    return maker


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("policy", type=click.Path(path_type=Path))
@click.option("--statements", default=50_000, show_default=True)
@click.option("--nodes", default=8, show_default=True)
def main(bundle: Path, policy: Path, statements: int, nodes: int) -> None:
    """Write a bundle of STATEMENTS statements and the policy to verify it by."""
    made = make_bundle(bundle, statements, nodes)
    policy.write_text(made.policy())
    sys.stdout.write(f"{bundle}: log of {made.log.size} entries\n")


if __name__ == "__main__":
    main()
