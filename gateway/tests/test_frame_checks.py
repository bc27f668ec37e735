"""Frames against statements, and cross-checks: an honest record, and each defect by its name."""

from __future__ import annotations

import gzip
import random
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_site import FramingNode
from node_simulator import SimulatedNode, pair
from raffinate.audit.crosscheck import UseChecker
from raffinate.audit.facts import (
    Activity,
    Booted,
    Context,
    FrameRange,
    Gap,
    Interval,
    MeterReading,
    Origin,
    Registers,
    Use,
)
from raffinate.audit.framefile import (
    FRAME_FILE_BYTES_MAX,
    FrameFileError,
    FramePath,
    format_line,
    format_path,
    pack_lines,
    parse_line,
    parse_path,
    read_lines,
)
from raffinate.audit.policy import Policy
from raffinate.audit.result import Result
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement

SERIAL = "SN-0"
POLICY = Policy("demo.example/raffinate/ndpr", (), b"", serials=(SERIAL,), gap_s_max=600)


class Record:
    """A node's frames, and the facts that its statements are."""

    def __init__(self):
        self.node = SimulatedNode("n01", 1001)
        self.framing = FramingNode(self.node)
        self.facts = [self.booted()]
        self.lines = {}
        self.index = 10

    def origin(self, seq=None):
        return Origin(self.index, "n01", self.node.keyid, self.node.seq if seq is None else seq)

    def booted(self, lost=None, **digests):
        found = {"firmware": "f0", "config": "c0", "calibration": "k0", **digests}
        origin = Origin(1, "n01", self.node.keyid, 1)
        return Booted(origin, self.framing.boot, lost, **found)

    def scan(self, count, estimate_ms=None):
        for data in self.framing.scans(count):
            line = parse_line(format_line(data, estimate_ms, (0,))[:-1])
            self.lines[line.boot, line.seq] = line
            estimate_ms = None if estimate_ms is None else estimate_ms + 1000

    def usage(self, **changes):
        """State what was scanned; the fact."""
        body = parse_statement(dsse.decode_envelope(self.framing.usage()).payload).body
        frames, interval = body["frames"], body["interval"]
        self.index += 1
        uses = tuple(
            Use(
                use["id"], SERIAL, use["run"], use["runMs"], use["starts"], use["volumeMl"],
                "e01/flow_aq",
            )
            for use in body["equipment"]
        )  # fmt: skip
        fact = Interval(
            self.origin(),
            body["boot"],
            interval["fromUpMs"],
            interval["toUpMs"],
            interval["fromMs"],
            interval["toMs"],
            None if frames is None else FrameRange(**frames),
            uses,
            {one["id"]: Registers(one["runMs"], one["starts"], one["volumeMl"])
             for one in body["registers"]},
            "f0",
            "c0",
            "k0",
        )  # fmt: skip
        self.facts.append(replace(fact, **changes))
        return self.facts[-1]

    def run(self, intervals, scans=60):
        for _ in range(intervals):
            self.scan(scans)
            self.usage()

    def files(self, per_file=100):
        boots = {}
        for (boot, _), line in sorted(self.lines.items()):
            boots.setdefault(boot, []).append(line)
        return {
            format_path(FramePath("n01", self.node.keyid[:16], boot, part[0].seq)): pack_lines(
                format_line(line.data, line.estimate_ms, line.steps) for line in part
            )
            for boot, lines in boots.items()
            for start in range(0, len(lines), per_file)
            if (part := lines[start : start + per_file])
        }

    def check(self, files=None, from_ms=None, to_ms=None, policy=POLICY):
        files = self.files() if files is None else files
        result = Result()
        checker = UseChecker(Context(policy, result, files.get, sorted(files), from_ms, to_ms))
        for fact in self.facts:
            checker.take(fact)
        checker.finish()
        return result

    def change(self, seq, old, new):
        line = self.lines[1, seq]
        assert old in line.data
        self.lines[1, seq] = replace(line, data=line.data.replace(old, new))


@pytest.fixture
def record():
    made = Record()
    made.run(5)
    return made


def codes(result):
    return dict(result.counts)


def test_an_honest_record_has_no_finding(record):
    assert codes(record.check()) == {}
    assert record.check().verdict("complete") == "PASS"


def test_a_new_boot_and_frames_under_an_unknown_clock_are_no_finding(record):
    record.framing.restart()
    record.framing.clock = "U"
    record.facts.append(record.booted())
    record.scan(30, estimate_ms=1_795_255_900_000)
    record.usage()
    record.framing.clock = "S"
    record.run(2)
    assert codes(record.check()) == {}


def test_boots_whose_statements_come_by_turns_are_each_read_once(record):
    first = len(record.facts)
    record.framing.restart()
    record.facts.append(record.booted())
    record.run(5)
    early, late = record.facts[1:first], record.facts[first + 1 :]
    record.facts[1:] = [fact for pair in zip(early, late, strict=True) for fact in pair]
    assert codes(record.check()) == {}
    del record.lines[2, 99], record.lines[1, 130]
    assert codes(record.check()) == {"FRAME-MISSING": 2}


def test_a_missing_frame_is_named_with_its_statement(record):
    for seq in (70, 71, 72):
        del record.lines[1, seq]
    result = record.check()
    assert codes(result) == {"FRAME-MISSING": 1}
    (found,) = result.findings
    assert found.detail == "frames 70 to 72 of boot 1"
    assert found.seq == record.facts[2].origin.seq
    assert result.verdict("complete") == "FAIL"


def test_a_changed_frame_is_named_in_the_middle_at_the_end_and_across_statements():
    for seq in (59, 60, 100, 299):
        fresh = Record()
        fresh.run(5)
        fresh.change(seq, b'"v":0.006', b'"v":0.007')
        result = fresh.check()
        assert codes(result) == {"FRAME-CHANGED": 1}, seq
        assert result.findings[0].detail.startswith(f"frame {seq} of boot 1"), seq
        assert result.verdict("authentic") == "FAIL"


def test_every_single_changed_number_is_found():
    rng = random.Random(7)
    for seq in range(20):
        fresh = Record()
        fresh.run(2, 10)
        data = bytearray(fresh.lines[1, seq].data)
        places = [at for at, byte in enumerate(data) if byte in b"123456789"]
        at = rng.choice(places)
        data[at] = data[at] - 1 if data[at] > ord("1") else data[at] + 1
        try:
            line = parse_line(bytes(data))
        except FrameFileError:
            continue
        fresh.lines[1, seq] = replace(line, estimate_ms=None)
        assert set(codes(fresh.check(fresh.files()))) & {"FRAME-CHANGED", "FRAME-FILE"}, data


def test_frames_of_another_key_are_extra_and_an_overlap_is_a_bad_file(record):
    files = record.files()
    other = pair(9, "n01").keyid[:16]
    data = next(iter(files.values()))
    files[format_path(FramePath("n01", other, 1, 0))] = data
    assert codes(record.check(files)) == {"FRAME-EXTRA": 1}
    files = record.files()
    files[format_path(FramePath("n01", record.node.keyid[:16], 1, 50))] = data
    assert "FRAME-FILE" in codes(record.check(files))
    files = record.files()
    files["frames/junk"] = b""
    assert codes(record.check(files)) == {"FRAME-FILE": 1}


def test_frames_after_the_last_statement_are_a_notice(record):
    record.scan(7)
    result = record.check()
    assert codes(result) == {"FRAME-UNCOVERED": 1}
    assert result.findings[0].detail == "7 frames of boot 1 from 300 on"
    assert result.verdict("complete") == "PASS"


def test_the_newest_frames_may_be_on_their_way(record):
    for seq in range(250, 300):
        del record.lines[1, seq]
    result = record.check()
    assert codes(result) == {"FRAME-PENDING": 1}
    assert result.verdict("complete") == "INSUFFICIENT"


def test_a_gap_before_or_after_explains_what_overflowed(record):
    lost = record.lines[1, 130]
    for seq in range(100, 131):
        del record.lines[1, seq]
    span = FrameRange(1, 100, 130, lost.digest().hex())
    gap = Gap(record.origin(), "frames", "outbox overflow", span, None, None, None, None)
    for place in (1, len(record.facts)):
        facts = list(record.facts)
        record.facts.insert(place, gap)
        assert codes(record.check()) == {"FRAME-GAP": 1}
        record.facts = facts
    record.facts.append(gap)
    strict = replace(POLICY, gap_s_max=30)
    assert record.check(policy=strict).verdict("complete") == "INSUFFICIENT"
    record.facts[-1] = replace(gap, frames=replace(span, last=120))
    assert codes(record.check()) == {"FRAME-GAP": 1, "FRAME-MISSING": 1}


def test_a_power_cut_explains_what_a_boot_states_as_lost(record):
    for seq in range(280, 300):
        del record.lines[1, seq]
    record.framing.restart()
    record.facts.append(record.booted(lost=(1, 280, 20_000)))
    record.run(1)
    assert codes(record.check()) == {"FRAME-GAP": 1}


def test_statements_that_overlap_or_leave_frames_out_are_told(record):
    third = record.facts[3]
    record.facts[3] = replace(third, frames=replace(third.frames, first=110))
    assert codes(record.check())["FRAME-RANGE"] == 1
    del record.facts[3]
    assert codes(record.check())["FRAME-RANGE"] == 1


def test_a_late_statement_is_judged_in_its_place(record):
    late = record.facts.pop(2)
    record.facts.append(replace(late, origin=replace(late.origin, late=True)))
    assert codes(record.check()) == {}


def test_a_period_asks_only_for_its_own_frames(record):
    intervals = record.facts[1:]
    for seq in [*range(60), *range(240, 300)]:
        del record.lines[1, seq]
    start, end = intervals[1].from_ms, intervals[3].to_ms
    assert codes(record.check(from_ms=start, to_ms=end)) == {}
    assert "FRAME-MISSING" in codes(record.check())
    assert "FRAME-MISSING" in codes(record.check(from_ms=start - 60_000, to_ms=end))


def test_without_frames_a_wanted_node_is_insufficient_and_another_a_notice(record):
    result = record.check({})
    assert codes(result) == {"FRAMES-ABSENT": 1}
    files = {"frames/n02/0123456789abcdef/0000000000000001-0000000000000000.gz": pack_lines([])}
    other = record.check(files, policy=replace(POLICY, serials=("SN-9",)))
    assert codes(other) == {"FRAME-EXTRA": 1, "FRAMES-LEFT-OUT": 1}
    assert codes(record.check(files)) == {"FRAME-EXTRA": 1, "FRAMES-ABSENT": 1}


def flows(made):
    return {code: n for code, n in codes(made.check()).items() if "RUN" in code}


def test_flow_without_run_needs_five_minutes():
    made = Record()
    made.run(2)
    made.framing.running = False
    made.run(4)
    assert flows(made) == {}
    made.run(2)
    assert flows(made) == {"FLOW-WITHOUT-RUN": 1}
    made.framing.flow_ml_s = 0
    made.run(3)
    result = made.check()
    assert result.counts["FLOW-WITHOUT-RUN"] == 1
    (found,) = [one for one in result.findings if one.code == "FLOW-WITHOUT-RUN"]
    assert "flow for 360 s" in found.detail
    assert found.equipment == SERIAL
    assert result.verdict("licence-conformant") == "INSUFFICIENT"


def test_run_without_flow_needs_ten_minutes_and_a_trickle_is_no_flow():
    made = Record()
    made.framing.flow_ml_s = 200
    made.run(2)
    made.framing.flow_ml_s = 3  # below 2 % of 200
    made.run(9)
    assert flows(made) == {}
    made.run(2)
    assert flows(made) == {"RUN-WITHOUT-FLOW": 1}


def test_a_volume_register_that_does_not_fit_the_flow_is_told():
    made = Record()
    made.run(14)
    assert codes(made.check()) == {}
    for at, fact in enumerate(made.facts):
        if isinstance(fact, Interval):
            uses = tuple(replace(use, volume_ml=use.volume_ml * 3 // 2) for use in fact.uses)
            made.facts[at] = replace(fact, uses=uses)
    assert codes(made.check())["VOLUME-MISMATCH"] == 1


def test_registers_and_deltas_and_run_time_must_agree(record):
    fact = record.facts[3]
    use = replace(fact.uses[0], run_ms=fact.uses[0].run_ms - 1)
    record.facts[3] = replace(fact, uses=(use,))
    assert codes(record.check()) == {"REGISTER-SUM": 1}

    made = Record()
    made.framing.running = False
    made.run(3)
    made.scan(60)
    made.framing.used[0] = 5000
    made.usage()
    assert codes(made.check()) == {"RUN-MISMATCH": 1}

    made = Record()
    for _ in range(4):
        made.scan(60)
        made.framing.used[0] += 60_000
        made.usage()
    assert codes(made.check()) == {"RUN-MISMATCH": 1}


def test_an_hour_meter_that_goes_another_way_is_told(record):
    def reading(minutes, run_ms):
        return MeterReading(record.origin(), "bat-ext", minutes, 0, run_ms)

    record.facts += [reading(100, 0), reading(221, 7_200_000)]
    assert codes(record.check()) == {}
    record.facts.append(reading(300, 10_000_000))
    assert codes(record.check()) == {"HOUR-METER": 1}


@pytest.mark.parametrize(
    ("what", "kind", "code"),
    [
        ("firmware", "upgrade", "FIRMWARE-UNDECLARED"),
        ("calibration", "calibration", "CALIBRATION-UNDECLARED"),
    ],
)
def test_a_digest_that_changes_wants_an_activity(record, what, kind, code):
    fact = record.facts[3]
    at_ms = fact.from_ms
    for at in (3, 4, 5):
        record.facts[at] = replace(record.facts[at], **{what: "changed"})
    assert codes(record.check()) == {code: 1}
    work = Activity(Origin(20, "gateway", "00", 1), kind, "bat-ext", at_ms - 1000, at_ms + 1000)
    for activity, expected in (
        (work, {}),
        (replace(work, kind="assembly"), {}),
        (replace(work, equipment="bat-scrub"), {code: 1}),
        (replace(work, from_ms=at_ms + 7_200_000, to_ms=None), {code: 1}),
        (replace(work, from_ms=at_ms - 9_000_000, to_ms=at_ms - 7_200_000), {code: 1}),
    ):
        for place in (1, len(record.facts)):
            facts = list(record.facts)
            facts.insert(place, activity)
            record.facts, kept = facts, record.facts
            assert codes(record.check()) == expected, activity
            record.facts = kept


@given(st.binary(max_size=400))
def test_any_bytes_are_lines_or_the_one_error(data):
    for raw in (data, pack_lines([data])):
        try:
            frames = list(read_lines(raw))
        except FrameFileError:
            continue
        assert raw == pack_lines(format_line(f.data, f.estimate_ms, f.steps) for f in frames)


LINE = format_line(FramingNode(SimulatedNode()).scans(1)[0], None, (0,))


@settings(max_examples=300)
@given(st.data())
def test_a_changed_line_is_a_frame_or_the_one_error_and_comes_back_the_same(data):
    line = bytearray(LINE[:-1] + data.draw(st.sampled_from([b"", b"\t17", b"\t\t1", b"\t5\t1,2"])))
    for _ in range(data.draw(st.integers(0, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        frame = parse_line(bytes(line))
    except FrameFileError:
        return
    assert format_line(frame.data, frame.estimate_ms, frame.steps) == bytes(line) + b"\n"


@given(st.text(max_size=80))
def test_any_path_is_one_or_the_one_error(text):
    try:
        path = parse_path(text)
    except FrameFileError:
        return
    assert format_path(path) == text


def test_a_file_is_bounded_whole_and_alone():
    packed = pack_lines([LINE])
    assert [frame.seq for frame in read_lines(packed)] == [0]
    assert packed == pack_lines([LINE])
    big = gzip.compress(LINE * (FRAME_FILE_BYTES_MAX // len(LINE) + 1))
    for wrong, words in (
        (packed[:-1], "cut short"),
        (packed + b"x", "after its end"),
        (packed + packed, "after its end"),
        (pack_lines([LINE[:-1]]), "no newline"),
        (big, "more than"),
        (b"", "cut short"),
        (zlib.compress(LINE), "not gzip"),
    ):
        with pytest.raises(FrameFileError, match=words):
            list(read_lines(wrong))
