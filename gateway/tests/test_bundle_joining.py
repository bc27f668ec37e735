"""Statements joined by columns are what plain rules make of them one by one."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raffinate.audit.chunk import Entry
from raffinate.audit.reader import Reader
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.tiles import encode_bundle
from verify_story import Story, make

ROUNDS, NODES = 12, 2
LONG = re.compile(r'": \d{16}')
NUMBER = re.compile(rb'(?<=":)\d+(?=[,}])')
# What may differ between statements of one run, by where it stands.
OPEN = {
    "": ("seq", "prev", "boot", "upMs", "timeMs", "unreceipted"),
    "seen": ("size", "root"),
    "registers": ("runMs", "starts", "volumeMl"),
    "interval": ("fromUpMs", "toUpMs", "fromMs", "toMs"),
    "frames": ("boot", "first", "last", "head"),
    "equipment": ("run", "runMs", "starts", "volumeMl", "permit", "startRequests"),
}


class Bundle:
    """The entries of an honest story, to be changed and signed again."""

    def __init__(self, folder):
        story = Story(folder, NODES, ROUNDS)
        self.entries = list(story.maker.log.entries)
        self.pairs = {node.keyid: node for node in story.maker.nodes}
        self.keys = {keyid: pair.spki for keyid, pair in self.pairs.items()}
        self.roots, log = [], make.Log(folder / "roots")
        for entry in self.entries:
            self.roots.append(log.root() if log.peaks else None)
            log.append(entry)

    def root_at(self, size):
        return self.roots[size] if 0 < size < len(self.roots) else None

    def read(self, entries, *, join):
        reader = Reader(self.root_at)
        reader.learn(self.keys)
        return reader.read([("bundle", encode_bundle(entries), len(entries))], 0, join=join)

    def sign(self, entry, payload):
        envelope = dsse.decode_envelope(entry)
        pair = self.pairs.get(envelope.keyid)
        return entry if pair is None else dsse.sign(payload, envelope.payload_type, pair)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle(tmp_path_factory.mktemp("joining"))


def joined(items):
    """The runs of statements read one by one, by the rules as docs/evidence.md words them."""
    found, going = [], {}
    for item in items:
        if isinstance(item, Entry):
            going.clear()
            found.append(item)
            continue
        keyid = item.first.keyid
        run, last = going.get(keyid, (None, None))
        if run is not None and goes_on(last, item):
            extend(run, item)
        else:
            run = copy.deepcopy(item)
            found.append(run)
        going[keyid] = run, item
    return found


def constant(body):
    """What must be the same in every statement of a run."""
    said = copy.deepcopy(body)
    for where, names in OPEN.items():
        part = said[where] if where else said
        for record in part if isinstance(part, list) else [part]:
            for name in names:
                del record[name]
    return said


def stands_apart(body):
    """What lacks a time or frames, has something to say, or a number of more than 15 digits."""
    said = (body["timeMs"], body["frames"], *body["interval"].values())
    return None in said or body["why"] is not None or LONG.search(json.dumps(body)) is not None


def goes_on(one, two):
    old, new = one.first.body, two.first.body
    if any(stands_apart(body) for body in (old, new)):
        return False
    if one.first.subject != two.first.subject or constant(old) != constant(new):
        return False
    before, after = old["interval"], new["interval"]
    seen = new["seen"] == old["seen"] or (
        old["seen"]["size"] < new["seen"]["size"] <= two.index and two.seen_wrong is None
    )
    day = 86_400_000
    return (
        seen
        and new["seq"] == old["seq"] + 1
        and new["prev"] == one.head.hex()
        and new["boot"] == old["boot"]
        and new["unreceipted"] == 0
        and new["upMs"] >= old["upMs"]
        and new["timeMs"] >= old["timeMs"]
        and after["fromUpMs"] == before["toUpMs"] <= after["toUpMs"]
        and before["toMs"] <= after["fromMs"] <= after["toMs"]
        and before["fromMs"] // day == (after["toMs"] - 1) // day
        and new["frames"]["boot"] == old["frames"]["boot"]
        and new["frames"]["first"] == old["frames"]["last"] + 1
        and all(
            a[name] <= b[name]
            for a, b in zip(old["registers"], new["registers"], strict=True)
            for name in ("runMs", "starts", "volumeMl")
        )
        and all(
            (a["run"], a["permit"], 0) == (b["run"], b["permit"], b["starts"])
            for a, b in zip(old["equipment"], new["equipment"], strict=True)
        )
    )


def extend(run, item):
    run.count += 1
    for name in ("last_index", "last_seq", "head", "last_up_ms", "last_time_ms", "last_seen",
                 "registers", "to_up_ms", "to_ms", "frames_to"):  # fmt: skip
        setattr(run, name, getattr(item, name))
    for use, more in zip(run.uses, item.uses, strict=True):
        use.run_ms += more.run_ms
        use.volume_ml += more.volume_ml


def told(items):
    """Comparable values of items."""
    found = []
    for item in items:
        value = {name: getattr(item, name) for name in item.__dataclass_fields__}
        first = value.pop("first", None)
        if first is not None:
            value |= {"body": first.body, "uses": [asdict(use) for use in item.uses]}
            last = first.body["frames"]
            value["frames_to"] = item.frames_to or (last and (last["last"], last["head"]))
        found.append(value)
    return found


def test_an_honest_bundle_is_a_run_a_node(bundle):
    items = bundle.read(bundle.entries, join=True).items
    runs = [item for item in items if not isinstance(item, Entry)]
    # The first round brings the start, and with it a run of its own.
    assert sorted(run.count for run in runs)[-NODES:] == [ROUNDS] * NODES
    single = bundle.read(bundle.entries, join=False)
    assert all(run.count == 1 for run in single.items if not isinstance(run, Entry))
    assert told(items) == told(joined(single.items))


def number(payload, which, value):
    """Another number in place of one of the payload's."""
    found = list(NUMBER.finditer(payload))
    one = found[which % len(found)]
    return payload[: one.start()] + value + payload[one.end() :]


def text(payload, which, value):
    """Another byte somewhere in the payload."""
    place = which % len(payload)
    return payload[:place] + value[:1] + payload[place + 1 :]


def words(payload, which, _value):
    """Other words of the same kind, or none of it."""
    changes = (
        (b":usage:", b":heartbeat:"),
        (b'"run":true', b'"run":false'),
        (b'"why":null', b'"why":"test"'),
        (b'"compliant"', b'"grace"'),
        (b'"clock":"S"', b'"clock":"I"'),
        (b'"permit":1', b'"permit":null'),
        (b'"n01"', b'"n02"'),
        (b'"name":"equipment/', b'"name":"other/'),
    )
    old, new = changes[which % len(changes)]
    return payload.replace(old, new)


KINDS = ("number", "text", "words", "swap", "drop", "repeat", "signature", "bytes")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
        st.one_of(
            st.integers(0, 1 << 54).map(lambda value: b"%d" % value),
            st.sampled_from([b"0", b"00", b"01", b"1", b"-1", b"1e3", b"null", b"59999", b"+1"]),
        ),
    ),
    min_size=1,
    max_size=4,
)


def change(bundle, entries, kind, where, which, value):
    at = len(entries) - 1 - where % (ROUNDS * NODES - 2)
    entry = entries[at]
    if kind == "swap":
        entries[at], entries[at - 1] = entries[at - 1], entry
    elif kind == "drop":
        del entries[at]
    elif kind == "repeat":
        entries.insert(at, entry)
    elif kind == "bytes":
        entries[at] = text(entry, which, value)
    elif kind == "signature":
        place = len(entry) - 10 - which % 80
        entries[at] = entry[:place] + bytes([entry[place] ^ 1]) + entry[place + 1 :]
    else:
        how = {"number": number, "text": text, "words": words}[kind]
        try:
            payload = how(dsse.decode_envelope(entry).payload, which, value)
        except Exception:  # noqa: BLE001 - an envelope changed before stays as it is
            return
        entries[at] = bundle.sign(entry, payload)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb'"boot":1,"upMs"', b'"boot":2,"upMs"'),
        (rb'"upMs":\d+', b'"upMs":1'),
        (rb'"timeMs":\d+', b'"timeMs":1'),
        (rb'"unreceipted":0', b'"unreceipted":1'),
        (rb'"seen":{"size":\d+', b'"seen":{"size":1'),
        (rb'"registers":\[{"id":"m-n01","runMs":\d+', b'"registers":[{"id":"m-n01","runMs":1'),
        (rb'"fromUpMs":\d+', b'"fromUpMs":1'),
        (rb'"toUpMs":\d+', b'"toUpMs":1'),
        (rb'"fromMs":\d+', b'"fromMs":1'),
        (rb'"toMs":\d+', b'"toMs":1'),
        (rb'"toMs":\d+', b'"toMs":1795305600001'),
        (rb'"frames":{"boot":1', b'"frames":{"boot":2'),
        (rb'"first":\d+', b'"first":7'),
        (rb'"run":true', b'"run":false'),
        (rb'"starts":0', b'"starts":1'),
        (rb'"permit":1', b'"permit":2'),
        (rb'"permit":1', b'"permit":null'),
        (rb'"startRequests":0', b'"startRequests":3'),
        (rb":usage:", b":heartbeat:"),
        (rb'"frames":{.*?}', b'"frames":null'),
    ],
)
def test_each_rule_ends_a_run_or_lets_it_go_on(bundle, old, new):
    entries = list(bundle.entries)
    at = len(entries) - 1 - 5 * NODES - 1
    payload = dsse.decode_envelope(entries[at]).payload
    changed = re.sub(old, new, payload, count=1)
    assert changed != payload
    entries[at] = bundle.sign(entries[at], changed)
    entries = mend(bundle, entries)
    items = bundle.read(entries, join=True).items
    assert told(items) == told(joined(bundle.read(entries, join=False).items))
    goes_on = b"startRequests" in new or b"heartbeat" in new
    runs = [item for item in items if not isinstance(item, Entry)]
    assert sorted(run.count for run in runs)[-NODES:] == [ROUNDS if goes_on else ROUNDS - 6, ROUNDS]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES, mended=st.booleans())
def test_tampered_statements_join_as_the_plain_rules_say(bundle, changes, mended):
    entries = list(bundle.entries)
    for one in changes:
        change(bundle, entries, *one)
    if mended:
        entries = mend(bundle, entries)
    chunk, single = bundle.read(entries, join=True), bundle.read(entries, join=False)
    assert told(chunk.items) == told(joined(single.items))
    assert (chunk.bad, chunk.parts) == (single.bad, single.parts)


def mend(bundle, entries):
    """The same statements in chains that hold, as who has the keys would write them."""
    heads, found = {}, []
    for entry in entries:
        try:
            envelope = dsse.decode_envelope(entry)
            statement = parse_statement(envelope.payload)
        except Exception:  # noqa: BLE001 - what is no statement is in no chain
            found.append(entry)
            continue
        if statement.keyid in bundle.pairs:
            seq, prev = heads.get(statement.keyid, (statement.seq - 1, statement.prev))
            payload = envelope.payload.replace(
                b'"seq":%d,"prev":"%b"' % (statement.seq, statement.prev.hex().encode()),
                b'"seq":%d,"prev":"%b"' % (seq + 1, prev.hex().encode()),
            )
            entry = bundle.sign(entry, payload)  # noqa: PLW2901
            heads[statement.keyid] = seq + 1, leaf_hash(entry)
        found.append(entry)
    return found
