"""A gateway's day at the log, done under faults, and what must hold after it.

Run as a program it makes processes to be killed: it reads jobs `FOLDER AT ACT WHAT`, does each in
a child, and says how that ended.
"""

from __future__ import annotations

import io
import json
import os
import sys
from base64 import b64decode, b64encode
from collections import Counter
from functools import cache
from pathlib import Path
from unittest import mock

from evidence_site import START_MS, Site, make_plant
from node_simulator import SimulatedNode
from raffinate.errors import StorageFullError
from raffinate.evidence import dsse, service
from raffinate.evidence.authority import open_authority
from raffinate.licence.office import open_evidence
from raffinate.model import Inbound
from raffinate.tlog.checkpoint import parse_checkpoint
from raffinate.tlog.hashing import leaf_hash, range_hash
from raffinate.tlog.note import parse_note
from raffinate.tlog.tiles import (
    TileReader,
    bundles_of,
    check_bundle,
    decode_bundle,
    decode_tile,
    entries_path,
    tile_path,
    tiles_of,
)
from raffinate.tlog.tree import Tree
from raffinate_wire.receipt import parse_receipt
from write_faults import Steps

_OPEN = io.open
TOLD = "told"
SENT = "sent.json"
NODES = ("n01", "n02")
# So that the day's statements complete a bundle and a tile.
BEFORE = 250
# So that a batch is committed in several parts, and published once.
PART_MAX = 2
NOW_MS = START_MS + 1000


def make_base(folder):
    """A site with a log just below a full tile, an enrolment in the inbox, a licence to tell of."""
    site = Site(folder, nodes=NODES)
    node, other = SimulatedNode("n01", 1000), SimulatedNode("n02", 1001, ())
    site.enrol(node)
    site.submit(node, node.boot())
    filler = [node.usage(0) for _ in range(BEFORE - site.service.log_size())]
    site.submit(node, *filler)
    site.close()
    with open_authority(site.keys) as authority:
        envelope = authority.enrol("node", other.node, other.pair.spki, site.now_ms)
    (site.data / "inbox" / "enrol-n02.dsse").write_bytes(envelope)
    site.licence()
    first = [node.usage() for _ in range(5)]
    late, *second = node.usage(), node.usage(), node.denial()
    batches = [first, second, [late, other.boot()]]
    coded = [[b64encode(data).decode() for data in batch] for batch in batches]
    (folder / SENT).write_text(json.dumps(coded))
    return folder


def sent(folder):
    """The batches of statements that the nodes send in a day."""
    coded = json.loads((folder / SENT).read_text())
    return [[b64decode(data) for data in batch] for batch in coded]


class Day:
    """Opens the log, ticks, submits; what nodes are told is added to the folder's `told`.

    Made before faults are armed: what it writes itself is not the gateway's.
    """

    def __init__(self, folder):
        self.folder = folder
        self.plant = make_plant(folder, nodes=NODES)
        self.messages = [[_inbound(data) for data in batch] for batch in sent(folder)]

    def run(self):
        """All of it; an error other than a full disk ends it as it ends a gateway."""
        with mock.patch.object(service, "PART_MAX", PART_MAX):
            self._run(_again(self.open))

    def _run(self, service):
        try:
            self._tell(_again(lambda: service.tick(NOW_MS)))
            for batch in self.messages:
                self._tell(_again(lambda batch=batch: service.submit(batch).outgoing))
            self._tell(_again(lambda: service.tick(NOW_MS)))
        finally:
            service.close()

    def open(self):
        """The evidence service, as a start of the gateway makes it."""
        folder = self.folder
        parts = (folder / "keys", folder / "data", folder / "licences")
        return open_evidence(self.plant, *parts, NOW_MS)

    def _tell(self, messages):
        """As a broker takes them: past every fault."""
        lines = [f"{m.topic} {b64encode(m.payload).decode()}\n" for m in messages]
        with _OPEN(self.folder / TOLD, "a") as out:
            out.writelines(lines)


def check(folder, before):
    """Everything that may never be lost, after a fault and the recovery from it.

    `before` has the published files as they were at moments of the past: {path: bytes}.
    """
    log = folder / "data" / "log"
    entries, head = read_log(log)
    leaves = [leaf_hash(data) for data in entries]
    roots = cache(lambda size: Tree(lambda _: b"").extend(leaves[:size]).tree.root())
    for path, data in before:
        _check_unchanged(log, path, data, roots)
    assert not [path for path in log.rglob("*.part") if path.is_file()]
    keys = Counter(_identity(data) for data in entries)
    assert set(keys.values()) == {1}, "a number was used twice"
    _check_chains(entries)
    receipted = set()
    for line in (folder / TOLD).read_text().splitlines():
        topic, payload = line.split(" ")
        told = b64decode(payload)
        if topic.endswith("/receipt"):
            receipted.add(_check_receipt(told, entries, roots))
        elif "/permit/" in topic:
            assert told in entries
    wanted = {_identity(data) for batch in sent(folder) for data in batch}
    assert receipted == wanted
    assert wanted <= set(keys)
    answer = json.loads((folder / "data" / "outbox" / "enrol-n02.json").read_text())
    assert answer["ok"]
    assert head.size == len(entries)


def published(log):
    """[(path, bytes)] of what anyone can read now: at any moment a whole log."""
    read_log(log)
    return [
        (path.relative_to(log).as_posix(), path.read_bytes())
        for path in log.rglob("*")
        if path.is_file() and not path.name.endswith(".part")
    ]


def read_log(log):
    """(entries, head) of a published log whose every tile and bundle is right."""
    head = parse_checkpoint(parse_note((log / "checkpoint").read_bytes()).text)
    entries = []
    for index, width in bundles_of(head.size):
        found = decode_bundle((log / entries_path(index, width)).read_bytes(), width)
        tile = (log / tile_path(0, index, width)).read_bytes()
        check_bundle(found, decode_tile(tile, width))
        entries += found
    reader = TileReader(lambda path: (log / path).read_bytes(), head.size)
    assert range_hash(reader.node, 0, head.size) == head.root
    for level, index, width in tiles_of(head.size):
        assert len((log / tile_path(level, index, width)).read_bytes()) == 32 * width
    return entries, head


def _check_unchanged(log, path, data, roots):
    if path == "checkpoint":
        head = parse_checkpoint(parse_note(data).text)
        assert roots(head.size) == head.root, "a published head was left behind"
        return
    name, partial, _ = path.partition(".p/")
    if (log / path).exists() or not partial:
        assert (log / path).read_bytes() == data
    else:
        assert (log / name).read_bytes().startswith(data)


def _check_receipt(told, entries, roots):
    receipt = parse_receipt(told)
    identity = (receipt.keyid, receipt.seq)
    assert _identity(entries[receipt.index]) == identity
    head = parse_checkpoint(parse_note(receipt.checkpoint_note).text)
    assert receipt.index < head.size <= len(entries)
    assert roots(head.size) == head.root
    return identity


def _check_chains(entries):
    """Gateway's and authority's statements follow one another without a hole."""
    chains = {}
    for data in entries:
        role, key, seq, prev = _place(data)
        if role != "permit":
            last, leaf = chains.get(key, (0, bytes(32)))
            if role in ("gateway", "authority"):
                assert (seq, prev) == (last + 1, leaf.hex())
            chains[key] = (seq, leaf_hash(data))


def _identity(data):
    """What no two entries share."""
    return _place(data)[1:3]


@cache
def _place(data):
    """(node, key, number, prev) of an entry; of a permit ("permit", key and equipment, serial)."""
    envelope = dsse.decode_envelope(data)
    body = json.loads(envelope.payload)
    if envelope.payload_type == dsse.PERMIT:
        return "permit", (body["keyid"], body["equipment"]), body["serial"], None
    predicate = body["predicate"]
    return predicate["node"], envelope.keyid, predicate["seq"], predicate["prev"]


def _inbound(data):
    predicate = json.loads(dsse.decode_envelope(data).payload)["predicate"]
    topic = f"raffinate/1/{predicate['site']}/{predicate['node']}/statement"
    return Inbound(topic, data, 0, predicate["timeMs"])


def _again(act):
    """As the ingest worker does: a full disk is tried again, by the same objects."""
    try:
        return act()
    except StorageFullError:
        return act()


def serve():
    """Jobs from standard input, one child each."""
    for line in sys.stdin:
        folder, at, act, what = line.split()
        child = os.fork()
        if child == 0:
            day = Day(Path(folder))
            with Steps(int(at), act):
                day.run() if what == "day" else day.open().close()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
