"""The fast decoder says what the wire package's parser says, of any bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import plants
from raffinate.errors import RejectedError
from raffinate.ingest.validate import FrameDecoder, FrameReader, read_identity
from raffinate_wire.errors import WireError
from raffinate_wire.frame import FRAME_BYTES_MAX, format_frame, parse_frame

POINTS = [
    point.id for point in plants.demo_plant().points.values() if point.stage in ("e01", "e02")
]
UNITS = {point.id: point.unit for point in plants.demo_plant().points.values()}

numbers = st.one_of(
    st.integers(-9_999_999, 9_999_999).map(lambda mantissa: (mantissa, 0)),
    st.tuples(st.integers(-9_999_999, 9_999_999), st.integers(0, 5)),
    st.just((12_000_000, 0)),
)


@st.composite
def frames(draw):
    clock = draw(st.sampled_from("USIR"))
    time_ms, up_ms = draw(st.integers(0, 2**42)), draw(st.integers(0, 2**42))
    scans = []
    for _ in range(draw(st.integers(1, 3))):
        values = []
        for name in draw(st.lists(st.sampled_from(POINTS), unique=True, max_size=8)):
            if draw(st.integers(0, 5)) == 0:
                values.append((name, None, draw(st.sampled_from(["F:open", "S:range"])), 0))
            else:
                mantissa, decimals = draw(numbers)
                if mantissa and abs(mantissa) * 10**5 < 10**decimals:
                    mantissa = 0
                values.append((name, UNITS[name], mantissa, decimals))
        up_ms += draw(st.integers(0, 5000))
        scans.append((None if clock == "U" else time_ms + up_ms, up_ms, values))
    boot, seq = draw(st.integers(0, 2**53 - 1)), draw(st.integers(0, 2**53 - 1))
    prev = draw(st.binary(min_size=32, max_size=32))
    return format_frame(plants.SITE, "n01", plants.KEY, boot, seq, prev, clock, scans)


def outcome(decode, data):
    try:
        return decode(data)
    except RejectedError as exc:
        return exc.code


@given(frames())
def test_a_frame_decodes_alike_by_template_and_by_parser(data):
    decoder = FrameDecoder(plants.demo_plant())
    first, findings = decoder.decode(data, plants.SITE, "n01")
    again, _ = decoder.decode(data, plants.SITE, "n01")
    assert first == again == FrameReader().read(data)
    assert findings == ()
    wire = parse_frame(data)
    assert (first.key, first.boot, first.seq) == (wire.key16, wire.boot, wire.seq)
    assert [scan.up_ms for scan in first.scans] == [up for _, up, _ in wire.scans]


@settings(max_examples=400)
@given(frames(), st.data())
def test_after_any_edit_template_and_parser_agree(data, draw):
    decoder = FrameDecoder(plants.demo_plant())
    decoder.decode(data, plants.SITE, "n01")
    at = draw.draw(st.integers(0, len(data) - 1))
    length = draw.draw(st.integers(0, 3))
    insert = draw.draw(
        st.one_of(
            st.binary(max_size=3),
            st.text('0123456789.-eE\0",:}', max_size=9).map(str.encode),
        )
    )
    edited = data[:at] + insert + data[at + length :]
    try:
        parse_frame(edited)
    except WireError as exc:
        expected = exc.code
        assert outcome(lambda b: decoder.decode(b, plants.SITE, "n01"), edited) == expected
        return
    fresh = FrameDecoder(plants.demo_plant())
    assert outcome(lambda b: decoder.decode(b, plants.SITE, "n01"), edited) == outcome(
        lambda b: fresh.decode(b, plants.SITE, "n01"), edited
    )


NUMBERS = [
    "0", "-0", "00", "1.0", "1.50", "0.00001", "0.000001", "0.0000123", "-0.00001", "9999999",
    "12345678", "10000000", "100000000000000000", "9007199254740991", "9007199254740992",
    "1234567.8", "123456.7", "1.234567", "1.2345678", "0.1234567", "0.12345678", "-1.234567",
    "0.00001234567", "0.000012345678", "1e5", "1E-3", ".5", "5.", "+1", "-", "", "1.2.3", "--1",
    "0.0123456", "-0.0123456", "0.01234567", "90000000000000000", "0.000009",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("record", ["e01/ph", "up", "seq", "boot", "bt"])
def test_every_form_of_a_number_is_judged_alike(number, record):
    data = plants.make_frame(5)
    decoder = FrameDecoder(plants.demo_plant())
    decoder.decode(data, plants.SITE, "n01")
    decoder.decode(plants.make_frame(6), plants.SITE, "n01")
    before = {
        "e01/ph": b'"u":"pH","v":1.851',
        "up": b'"u":"s","v":6',
        "seq": b'"n":"seq","v":5',
        "boot": b'"n":"boot","v":1',
        "bt": b'"bt":1795255206',
    }[record]
    assert data.count(before) == 1
    edited = data.replace(before, before[: before.rindex(b":") + 1] + number.encode())
    try:
        parse_frame(edited)
        expected = FrameReader().read(edited)
    except WireError as exc:
        expected = exc.code
    found = outcome(lambda b: decoder.decode(b, plants.SITE, "n01")[0], edited)
    assert found == expected


@given(st.binary(max_size=400))
@example(b"")
@example(b"[]")
def test_any_bytes_give_a_frame_or_a_rejection(data):
    decoder = FrameDecoder(plants.demo_plant())
    with pytest.raises(RejectedError):
        decoder.decode(data, plants.SITE, "n01")


@pytest.mark.parametrize(
    ("members", "topic", "code"),
    [
        ({"site": "other"}, ("other", "n01"), "wrong-site"),
        ({"site": "other"}, (plants.SITE, "n01"), "wrong-site"),
        ({"node": "n99"}, (plants.SITE, "n99"), "unknown-node"),
        ({"node": "n02", "values": [("e05/ph", "pH", 1, 0)]}, (plants.SITE, "n01"), "wrong-node"),
        ({"values": [("x01/ph", "pH", 1, 0)]}, (plants.SITE, "n01"), "unknown-point"),
        ({"values": [("e01/dp", "Pa", 1, 0)]}, (plants.SITE, "n01"), "unknown-point"),
        ({"values": [("t01/ph", "pH", 1, 0)]}, (plants.SITE, "n01"), "unknown-point"),
    ],
)
def test_what_does_not_belong_here_is_rejected_with_its_reason(members, topic, code):
    decoder = FrameDecoder(plants.demo_plant())
    with pytest.raises(RejectedError) as caught:
        decoder.decode(plants.make_frame(0, **members), *topic)
    assert caught.value.code == code


def test_an_oversized_frame_is_rejected():
    decoder = FrameDecoder(plants.demo_plant())
    with pytest.raises(RejectedError) as caught:
        decoder.decode(b"[" * (FRAME_BYTES_MAX + 1), plants.SITE, "n01")
    assert caught.value.code == "too-long"


def test_an_odd_unit_is_a_finding_and_no_rejection():
    decoder = FrameDecoder(plants.demo_plant())
    data = plants.make_frame(0, values=[("e01/cond", "mS/cm", 96, 0)])
    for _ in range(2):
        _, findings = decoder.decode(data, plants.SITE, "n01")
        assert findings == ("odd-unit:e01/cond",)


def test_the_identity_of_a_bad_frame_can_be_read():
    data = plants.make_frame(5, boot=3)
    assert read_identity(data[:-1]) == (plants.KEY, 3, 5)
    assert read_identity(b"junk") is None


def test_frames_of_ever_new_shapes_take_a_bounded_room(monkeypatch):
    """Anybody at the broker can send them, under any key."""
    monkeypatch.setattr("raffinate.ingest.validate.TEMPLATES_BYTES_MAX", 5000)
    decoder = FrameDecoder(plants.demo_plant())
    held = []
    for number in range(100):
        values = [(POINTS[0], None, f"F:{number}", 0)]
        scans = [(1000, 1000, values)]
        data = format_frame(plants.SITE, "n01", plants.KEY, 1, number, bytes(32), "S", scans)
        assert decoder.decode(data, plants.SITE, "n01")[0].data == data
        held.append(len(decoder._templates) * len(data))
    assert max(held) > 4000
    assert max(held) <= 5000
