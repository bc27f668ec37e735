"""A small honest plant with frames, and the means to make it hostile: for hostile.py."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256

import orjson

from raffinate.audit.framefile import FramePath, format_line, format_path, pack_lines
from raffinate.audit.policy import parse_policy
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify
from raffinate.evidence import dsse
from raffinate.tlog.note import sign_note
from raffinate_wire.frame import ZERO_PREV, format_frame, frame_hash
from verify_story import Story, make

ENTRIES = "log/tile/entries/000.p"
TILES = "log/tile/0/000.p"
SCAN_MS = 10_000
STEP_MS = make.STEP_MS
DAY_MS = make.DAY_MS


class Plant(Story):
    """Two nodes, four minutes; `policy` is the auditor's from before anything hostile."""

    def __init__(self, folder, nodes=2, rounds=4):
        super().__init__(folder, nodes, rounds)
        self.trusted = parse_policy("policy", self.maker.policy())

    @property
    def one(self):
        return self.maker.nodes[0]

    @property
    def log(self):
        return self.maker.log

    def trust(self, **changes):
        """The auditor's policy knows or asks something else."""
        self.trusted = replace(self.trusted, **changes)

    def pin(self):
        """The auditor keeps the log's head as it is now."""
        self.trust(pin=(self.log.size, self.log.root()))

    def usage(self, pair=None, frames=None, why=None, uses=None, permit=True, clock=None, **board):
        """A usage of one node over the next minute; `uses` (run, run_ms, starts, volume_ml)."""
        maker, pair = self.maker, pair or self.one
        run, run_ms, starts, volume_ml = uses or (True, STEP_MS, 0, STEP_MS)
        self.meter = [self.number * STEP_MS] * 2 if not hasattr(self, "meter") else self.meter
        self.meter = [self.meter[0] + run_ms, self.meter[1] + volume_ml]
        self.starts = getattr(self, "starts", 1) + starts
        maker.time_ms += STEP_MS
        end_ms, up_ms = maker.time_ms, maker.time_ms - make.START_MS
        name = f"m-{pair.node}"
        said = maker.board(pair, 0)
        said["registers"] = [
            {"id": name, "runMs": self.meter[0], "starts": self.starts, "volumeMl": self.meter[1]}
        ]
        timed = clock != "U"
        said |= {"clock": clock or "S", **({} if timed else {"timeMs": None}), **board}
        use = {"id": name, "state": "compliant", "run": run, "runMs": run_ms, "starts": starts}
        use |= {"volumeMl": volume_ml, "permit": maker.serial if permit is True else permit}
        interval = {"fromUpMs": up_ms - STEP_MS, "toUpMs": up_ms}
        interval |= {
            "fromMs": said.get("timeMs", end_ms) - STEP_MS if timed else None,
            "toMs": said.get("timeMs", end_ms) if timed else None,
        }
        specific = {
            "interval": interval,
            "frames": frames,
            "equipment": [{**use, "startRequests": 0}],
            "why": why,
        }
        kind = "usage" if run or run_ms or volume_ml else "heartbeat"
        maker.state(pair, kind, specific, maker.subjects[pair.node], said)

    def denial(self, kind="REFUSED", **board):
        node = self.one
        specific = {"kind": kind, "equipment": f"m-{node.node}", "reason": "no-permit"}
        specific |= {"permit": None, "count": 1, "fromMs": None, "toMs": None}
        specific |= {"about": None, "actor": None}
        said = self.maker.board(node, self.number * STEP_MS) | board
        self.maker.state(node, "denial", specific, self.maker.subjects[node.node], said)

    def anchor(self):
        self.maker.anchor()
        self.maker.see()

    @contextmanager
    def unlogged(self):
        """What is signed meanwhile never reaches the log."""
        kept = self.keep()
        yield
        self.restore(kept)

    def keep(self):
        log = self.log
        return log.size, list(log.entries), list(log.leaves), list(log.peaks), list(log.files)

    def restore(self, kept):
        log = self.log
        log.size, log.entries, log.leaves, log.peaks, log.files = kept

    def rewrite(self, entries):
        """The holder of the log's keys makes the log anew; no witness signs that."""
        self.refill(entries)
        self.forge_head()

    def refill(self, entries):
        """The log has these entries and no others."""
        log = self.log
        log.size, log.entries, log.leaves, log.peaks = 0, [], [], []
        for entry in list(entries):
            log.append(entry)

    def forge_head(self):
        maker = self.maker
        text = make.format_checkpoint
        maker.cosigned = lambda: sign_note(
            text(make.Checkpoint(make.ORIGIN, self.log.size, self.log.root())), maker.signers
        )

    def edit(self, path, change):
        """Whoever carries the finished bundle changes a file."""
        target = self.folder / path
        target.write_bytes(change(target.read_bytes()))

    def entry_file(self):
        return f"{ENTRIES}/{self.log.size}"

    def tile_file(self):
        return f"{TILES}/{self.log.size}"

    def judge_it(self):
        return verify(open_source(self.folder), self.trusted)

    def pair_of(self, node, number):
        return make.Pair(node, number)


class Framed(Plant):
    """One node whose frames are in the bundle; flow in ml/s, one scan each 10 s."""

    def __init__(self, folder, rounds=3):
        super().__init__(folder, nodes=1, rounds=0)
        self.meter = [0, 0]
        self.frames, self.prev = [], ZERO_PREV
        descriptor = b'serial = "SN-0"\nstages = ["e01"]\nvolume = "e01/flow_aq"\n'
        digest = sha256(descriptor).hexdigest()
        self.log.write(f"equipment/{digest}.toml", descriptor)
        subjects = self.maker.subjects[self.one.node]
        subjects[0] = (subjects[0][0], digest)
        for _ in range(rounds):
            self.minute()

    def minute(self, flow_ml_s=1000, run=True, volume_ml=None, run_ms=None, **said):
        """A minute of scans, and the usage that covers it."""
        first = len(self.frames)
        start_up_ms = self.maker.time_ms - make.START_MS
        for number in range(1, STEP_MS // SCAN_MS + 1):
            up_ms = start_up_ms + number * SCAN_MS
            data = format_frame(
                make.SITE, self.one.node, self.one.keyid[:16], 1, len(self.frames), self.prev,
                "S", [(make.START_MS + up_ms, up_ms, self._values(number, flow_ml_s))],
            )  # fmt: skip
            self.prev = frame_hash(data)
            self.frames.append(data)
        found = {"boot": 1, "first": first, "last": len(self.frames) - 1, "head": self.prev.hex()}
        run_ms = (STEP_MS if run else 0) if run_ms is None else run_ms
        volume_ml = flow_ml_s * STEP_MS // 1000 if volume_ml is None else volume_ml
        self.usage(frames=found, uses=(run, run_ms, 0, volume_ml), **said)
        self.maker.see()

    def _values(self, number, flow_ml_s):
        """A scan's values; those of `extra` come by turns."""
        extra = getattr(self, "extra", ())
        more = [extra[number % len(extra)]] if extra else []
        return [("e01/flow_aq", "l/s", flow_ml_s, 3), *more]

    def finish(self):
        path = format_path(FramePath(self.one.node, self.one.keyid[:16], 1, 0))
        lines = [format_line(data, None, (0,)) for data in self.frames if data is not None]
        self.log.write(path, pack_lines(lines))
        return super().finish()


def public_of(maker):
    """The site's public document, as the bundle carries it."""
    keys = [signer.verifier.vkey() for signer in maker.signers]
    authority = b64encode(maker.authority.spki).decode()
    found = {"v": 1, "origin": make.ORIGIN, "log": keys, "keys": {"authority": authority}}
    return json.dumps(found).encode()


def is_by(entry, pair):
    return dsse.decode_envelope(entry).keyid == pair.keyid


def body_of(entry):
    return orjson.loads(dsse.decode_envelope(entry).payload)


def small(folder):
    """A whole bundle of a few KB with a file of every kind, for the flips of every bit.

    Six entries: three keys, a permit, a boot, a usage with its frames.
    """
    plant = Framed(folder, rounds=0)
    log, subjects = plant.log, plant.maker.subjects[plant.one.node]
    plant.refill([entry for entry in log.entries if not is_by(entry, plant.maker.gateway)])
    for item in list(log.files):
        path = item["path"]
        if path.startswith("blobs/") or (
            path.startswith("equipment/") and subjects[0][1] not in path
        ):
            log.files.remove(item)
            (plant.folder / path).unlink()
    plant.maker.see()
    plant.minute()
    log.write("blobs/" + sha256(b"blob").hexdigest(), b"blob")
    log.write("keys.json", public_of(plant.maker))
    log.write("README.txt", b"An audit bundle.\n")
    plant.finish()
    return plant
