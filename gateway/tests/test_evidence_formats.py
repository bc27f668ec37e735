"""The gateway's fast statement path against raffinate_wire's, and envelopes against their rules."""

from __future__ import annotations

import json
from base64 import b64encode

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node_simulator import SimulatedNode, pair
from raffinate.errors import RejectedError
from raffinate.evidence import dsse, statement
from raffinate.evidence.statement import parse_statement
from raffinate.tlog.p256 import ORDER
from raffinate_wire import statement as wire
from raffinate_wire.dsse import parse_envelope
from raffinate_wire.errors import WireError


def envelopes():
    node = SimulatedNode(equipment=("bat-ext", "bat-scrub"))
    made = [node.boot(), node.usage(), node.usage(0), node.gap(1, 3, 9), node.denial()]
    node.clock = "U"
    return [*made, node.usage(), node.denial("STARTED-ANYWAY")]


ENVELOPES = envelopes()


@pytest.mark.parametrize("data", ENVELOPES)
def test_envelopes_are_the_same_to_both_readers(data):
    fast, slow = dsse.decode_envelope(data), parse_envelope(data)
    assert (fast.payload, fast.keyid, fast.signature) == (slow.payload, slow.keyid, slow.sig)
    assert fast.payload_type.decode() == slow.payload_type
    dsse.verify(fast, dsse.public_key(SimulatedNode().pair.spki))
    assert dsse.encode_envelope(fast.payload, fast.payload_type, fast.keyid, fast.signature) == data
    found, other = parse_statement(fast.payload), wire.parse_statement(fast.payload)
    assert (found.type, found.seq, found.prev.hex()) == (other.type, other.seq, other.prev)
    assert list(found.subjects().items()) == other.subject


def both(payload):
    try:
        wire.parse_statement(payload)
        slow = True
    except WireError:
        slow = False
    try:
        parse_statement(payload)
        fast = True
    except RejectedError:
        fast = False
    assert fast == slow, payload
    return fast


PAYLOADS = [dsse.decode_envelope(data).payload for data in ENVELOPES]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**53 + 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["U", "S", "gateway", "authority", "n01", "a" * 64, "usage", ""]),
    st.lists(st.integers(0, 3), max_size=2),
    st.just({}),
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(PAYLOADS), st.data())
def test_a_changed_member_is_the_same_to_both_readers(payload, data):
    value = json.loads(payload)
    path = data.draw(st.sampled_from(sorted(places(value), key=repr)))
    if not path:
        return
    at = value
    for step in path[:-1]:
        at = at[step]
    act = data.draw(st.sampled_from(["set", "remove", "move", "add"]))
    if act == "set":
        at[path[-1]] = data.draw(VALUES)
    elif act == "remove":
        del at[path[-1]]
    elif act == "add" and isinstance(at, dict):
        at["more"] = 1
    elif isinstance(at, dict):
        at[path[-1]] = at.pop(path[-1])
    both(orjson.dumps(value))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PAYLOADS), st.integers(0, 5000), st.binary(max_size=3), st.integers(0, 3))
def test_changed_bytes_are_the_same_to_both_readers(payload, place, insert, cut):
    place %= len(payload)
    both(payload[:place] + insert + payload[place + cut :])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"boot":1', b'"boot":01'),
        (b'"boot":1', b'"boot":1.0'),
        (b'"boot":1', b'"boot":1e0'),
        (b'"boot":1', b'"boot": 1'),
        (b'"boot":1', b'"boot":-0'),
        (b'"boot":1', b'"boot":1,"boot":1'),
        (b'"boot":1', b'"boot":9007199254740992'),
        (b'"boot":1', b'"boot":true'),
        (b'"clock":"S"', b'"clock":"\\u0053"'),
        (b'"clock":"S"', b'"clock":"U"'),
        (b'"site":"ndpr"', b'"site":"Ndpr"'),
        (b'"node":"n01"', b'"node":"gateway"'),
        (b'"v":1', b'"v":2'),
    ],
)
def test_what_is_not_canonical_or_not_a_nodes_is_refused_with_a_reason(old, new):
    payload = PAYLOADS[1]
    assert both(payload)
    changed = payload.replace(old, new)
    assert changed != payload
    assert not both(changed)
    with pytest.raises(RejectedError) as caught:
        parse_statement(changed)
    assert caught.value.code


def test_loose_envelopes_are_refused():
    data = ENVELOPES[1]
    envelope = dsse.decode_envelope(data)
    text = b64encode(envelope.payload)
    loose = [
        b" " + data,
        data + b"\n",
        data[:-1],
        data.replace(b'"payload":', b'"payload" :'),
        data.replace(b'"keyid":"', b'"keyid":"A', 1),
        data.replace(envelope.keyid.encode(), envelope.keyid.upper().encode()),
        data.replace(text, text[:-1] + b"!"),
        data.replace(text, text + b"===="),
        data.replace(text, b"\n" + text),
        data.replace(b'"signatures":[', b'"signatures":[{},'),
        data[:20] + b"x" * 7000,
    ]
    for bad in loose:
        with pytest.raises(RejectedError):
            dsse.decode_envelope(bad)
        with pytest.raises(WireError):
            parse_envelope(bad)


def test_base64_with_trailing_bits_is_refused():
    signer = pair(5)
    data = dsse.sign(b"a", dsse.STATEMENT, signer)
    assert b'"YQ=="' in data
    with pytest.raises(RejectedError, match="trailing bits"):
        dsse.decode_envelope(data.replace(b'"YQ=="', b'"YR=="'))


def test_a_high_s_and_a_foreign_key_are_refused():
    node = SimulatedNode()
    envelope = dsse.decode_envelope(node.boot())
    r, s = decode_dss_signature(envelope.signature)
    high = dsse.Envelope(
        envelope.payload,
        envelope.payload_type,
        envelope.keyid,
        encode_dss_signature(r, ORDER - s),
    )
    with pytest.raises(RejectedError, match="at most n/2"):
        dsse.verify(high, dsse.public_key(node.pair.spki))
    with pytest.raises(RejectedError, match="does not verify"):
        dsse.verify(envelope, dsse.public_key(pair(77).spki))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_give_an_envelope_or_the_one_error(data):
    try:
        dsse.decode_envelope(data)
    except RejectedError:
        return
    raise AssertionError("an envelope out of nothing")


def outcome(read, data):
    try:
        found = read(data)
    except RejectedError as error:
        return error.code
    return found if isinstance(found, tuple) else (found.type, found.subject, found.body)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_what_is_remembered_of_earlier_ones_changes_no_outcome(number):
    cases = [
        (dsse.decode_envelope, dsse._MIDDLES, ENVELOPES[number]),
        (parse_statement, statement._HEADS, PAYLOADS[number]),
    ]
    for read, memory, data in cases:
        for place in range(0, len(data), 3):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            memory.clear()
            read(data)
            remembered = outcome(read, bytes(changed))
            memory.clear()
            assert outcome(read, bytes(changed)) == remembered
        assert outcome(read, data) == outcome(read, data)


def test_what_is_remembered_is_limited():
    payload = PAYLOADS[1]
    for number in range(statement._HEADS_KEPT + 10):
        node = b'"node":"n%d"' % number
        parse_statement(payload.replace(b'"node":"n01"', node))
        envelope = dsse.encode_envelope(payload, dsse.STATEMENT, f"{number:064x}", bytes(70))
        dsse.decode_envelope(envelope)
    assert 0 < len(statement._HEADS) <= statement._HEADS_KEPT
    assert 0 < len(dsse._MIDDLES) <= dsse._MIDDLES_KEPT
