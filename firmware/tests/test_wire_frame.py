"""The frame builder: what it writes is what format_frame writes, and a scan is split at a stage."""

# ruff: noqa: PT017 - a fuzz test allows a value or the one error, and looks at either

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_wire import frame
from raffinate_wire.errors import WireError

KEY16 = "3f9ac0d1e2b34455"


def _stage(at, points=6):
    return [(f"e{at:02}/p{point}", "pH", 1000000 + at * 10 + point, 6) for point in range(points)]


def _builder(bytes_max=frame.FRAME_BYTES_MAX):
    return frame.FrameBuilder("ndpr", "n07", KEY16, bytes_max)


def test_a_builder_writes_what_format_frame_writes():
    builder = _builder()
    builder.begin(17, 3, bytes(32), "S", 1795255200125, 86412125)
    assert builder.add_stage(_stage(1))
    assert builder.add_stage([("e02/ph", None, "F:open", 0)])
    assert builder.scan(1795255201125, 86413125)
    assert builder.add_stage(_stage(1))
    scans = [
        (1795255200125, 86412125, [*_stage(1), ("e02/ph", None, "F:open", 0)]),
        (1795255201125, 86413125, _stage(1)),
    ]
    written = frame.format_frame("ndpr", "n07", KEY16, 17, 3, bytes(32), "S", scans)
    assert bytes(builder.finish()) == written
    assert builder.values_count == 13


@given(st.integers(400, 4000), st.integers(1, 20))
def test_a_scan_that_does_not_fit_is_split_at_a_stage(bytes_max, stages):
    builder = _builder(bytes_max)
    frames = []
    prev = bytes(32)
    builder.begin(1, 0, prev, "S", 5000, 1000)
    for at in range(stages):
        try:
            added = builder.add_stage(_stage(at))
        except WireError as error:
            assert error.code == "too-long"
            assert bytes_max < 600
            return
        if not added:
            frames.append(bytes(builder.finish()))
            prev = frame.frame_hash(frames[-1])
            builder.begin(1, len(frames), prev, "S", 5000, 1000)
            assert builder.add_stage(_stage(at))
    frames.append(bytes(builder.finish()))
    read = [frame.parse_frame(data) for data in frames]
    assert all(len(data) <= bytes_max for data in frames)
    assert [one.scans[0][:2] for one in read] == [(5000, 1000)] * len(read)
    values = [value[0] for one in read for value in one.scans[0][2]]
    assert values == [value[0] for at in range(stages) for value in _stage(at)]
    assert [one.prev for one in read[1:]] == [frame.frame_hash(data) for data in frames[:-1]]


def test_a_stage_that_was_not_added_can_be_added_to_the_next_frame():
    builder = _builder(700)
    builder.begin(1, 0, bytes(32), "S", 5000, 1000)
    at = 0
    while builder.add_stage(_stage(at)):
        at += 1
    length = builder.length
    assert not builder.add_stage(_stage(at))
    assert builder.length == length
    assert builder.add_stage([("e99/ph", "pH", 1, 0)]), "a smaller stage still fits"


def test_values_are_counted_over_the_frame():
    builder = _builder()
    builder.begin(1, 0, bytes(32), "U", None, 0)
    values = [(f"e{at}/p", "", 1, 0) for at in range(frame.VALUES_MAX)]
    assert builder.add_stage(values)
    assert not builder.add_stage([("x/p", "", 1, 0)])
    assert len(frame.parse_frame(bytes(builder.finish())).scans[0][2]) == frame.VALUES_MAX


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (("e01", "pH", 1, 0), "bad-name"),
        (("e01/ph", "\u00b0C", 1, 0), "bad-unit"),
        (("e01/ph", None, "open", 0), "bad-quality"),
        (("e01/ph", "pH", 12345678, 0), "bad-number"),
        (("e01/ph", "pH", 1.5, 0), "bad-integer"),
    ],
)
def test_what_would_not_be_read_is_not_written(value, code):
    builder = _builder()
    builder.begin(1, 0, bytes(32), "S", 5000, 1000)
    with pytest.raises(WireError) as caught:
        builder.add_stage([value])
    assert caught.value.code == code


def test_a_point_appears_once_in_a_scan_and_again_in_the_next():
    builder = _builder()
    builder.begin(1, 0, bytes(32), "S", 5000, 1000)
    assert builder.add_stage([("e01/ph", "pH", 1, 0)])
    with pytest.raises(WireError) as caught:
        builder.add_stage([("e01/ph", "pH", 2, 0)])
    assert caught.value.code == "duplicate-name"
    assert builder.scan(6000, 2000)
    assert builder.add_stage([("e01/ph", "pH", 2, 0)])


def test_time_is_left_out_under_an_unknown_clock_only():
    builder = _builder()
    for clock, bt_ms in (("U", 5), ("S", None)):
        with pytest.raises(WireError) as caught:
            builder.begin(1, 0, bytes(32), clock, bt_ms, 0)
        assert caught.value.code == "bad-frame"


def test_a_buffer_too_small_for_a_header_is_refused():
    with pytest.raises(WireError) as caught:
        _builder(100).begin(1, 0, bytes(32), "U", None, 0)
    assert caught.value.code == "too-long"
    with pytest.raises(WireError):
        _builder(frame.FRAME_BYTES_MAX + 1)
