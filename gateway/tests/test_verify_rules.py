"""The verifier's rules that depend on the log's order: roster, outside times, forks, closes."""

from __future__ import annotations

from hashlib import sha256

import pytest

from raffinate.audit.report import as_json
from raffinate.audit.source import open_source
from raffinate.audit.verify import Checked, verify
from raffinate.audit.work import Inline
from raffinate.evidence import dsse
from raffinate.tlog.hashing import leaf_hash
from verify_story import Story, make


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_an_honest_story_lacks_only_frames(story):
    result = story.judge()
    assert set(result.counts) == {"FRAMES-ABSENT"}
    assert (result.anchored, result.anchor_ms is not None) == (result.size, True)
    totals = [line.totals() for line in result.timelines.values()]
    assert totals == [[4 * make.STEP_MS, 0, 0, 0]] * 2


def test_statements_after_a_revocation_count_for_nothing(story):
    one = story.maker.nodes[0]
    story.revoke(one, one.seq)
    story.rounds(2)
    result = story.judge()
    assert (result.counts["REVOCATION"], result.counts["KEY-REVOKED"]) == (1, 2)
    assert result.timelines["SN-0"].totals()[0] == 4 * make.STEP_MS


def test_a_revocation_reaches_back_and_the_authority_can_list_what_is_genuine(story):
    one = story.maker.nodes[0]
    last = one.seq
    story.rounds(1)
    genuine = one.prev
    story.rounds(2)
    story.revoke(one, last)
    story.revoke(one, last, trusted=[genuine])
    result = story.judge()
    assert result.counts["KEY-REVOKED"] == 2
    assert [f.seq for f in result.findings if f.code == "KEY-REVOKED"] == [last + 2, last + 3]
    assert result.timelines["SN-0"].totals()[0] == 5 * make.STEP_MS


def test_a_revoked_permit_key_is_good_below_a_size_of_the_log(story):
    story.rounds(1)
    size = story.maker.log.size
    story.maker.permits(story.number * make.STEP_MS)
    story.revoke(story.maker.permit, size, role="permit")
    assert story.judge().counts["KEY-REVOKED"] == 2


def test_a_retired_key_ends_at_its_number(story):
    one = story.maker.nodes[0]
    story.authority(
        "retire",
        role="node",
        name=one.node,
        key=one.keyid,
        lastSeq=one.seq,
        head=one.prev,
        reason="",
    )
    story.rounds(1)
    assert story.judge().counts["KEY-ENDED"] == 1


def test_a_retirement_names_statements_that_are_not_there(story):
    one = story.maker.nodes[0]
    story.authority(
        "retire",
        role="node",
        name=one.node,
        key=one.keyid,
        lastSeq=one.seq + 3,
        head="ab" * 32,
        reason="",
    )
    assert story.judge().counts["MISSING"] == 1


def rotate(story, role, old, new, seq, head):
    story.authority(
        "rotate",
        role=role,
        name=old.node,
        key=new.keyid,
        spki=new.spki,
        predecessor={"keyid": old.keyid, "seq": seq, "head": head},
    )


def test_a_rotated_gateway_signs_the_manifest_and_the_old_key_no_more(story):
    maker = story.maker
    old, new = maker.gateway, make.Pair("gateway", 99)
    rotate(story, "gateway", old, new, old.seq, old.prev)
    story.gateway(
        "admin", action="deletion", object=None, before=None, after=None, fromMs=None, toMs=None
    )
    maker.gateway = new
    result = story.judge()
    assert (result.counts["KEY-ROTATED"], result.counts["KEY-ENDED"]) == (1, 1)
    assert result.counts["MANIFEST"] == 0
    assert result.counts["ADMIN"] == 0


def test_a_rotated_authority_is_followed_and_its_old_key_gives_no_orders(story):
    maker = story.maker
    old, new = maker.authority, make.Pair("authority", 98)
    rotate(story, "authority", old, new, old.seq, old.prev)
    maker.enrol("node", make.Pair("n08", 80))
    maker.authority = new
    maker.enrol("node", make.Pair("n09", 81))
    result = story.judge(authority_spki=old.spki)
    assert (result.counts["KEY-ROTATED"], result.counts["KEY-ENDED"]) == (1, 1)
    assert result.counts["ENROLMENT"] == 0


def replace_node(story, opening):
    old = story.maker.nodes[0]
    new = make.Pair(old.node, 70)
    story.authority(
        "enrol", role="node", name=old.node, key=new.keyid, spki=new.spki, opening=opening
    )
    return old, new


def opening_of(story, run_ms):
    old = story.maker.nodes[0]
    register = {"id": f"m-{old.node}", "runMs": run_ms, "starts": 1, "volumeMl": run_ms}
    return {"keyid": old.keyid, "seq": old.seq, "head": old.prev, "registers": [register]}


def test_a_successor_opens_with_the_last_registers_and_ends_the_predecessor(story):
    replace_node(story, opening_of(story, 4 * make.STEP_MS))
    story.rounds(1)
    result = story.judge()
    assert (result.counts["KEY-REPLACED"], result.counts["KEY-ENDED"]) == (1, 1)
    assert result.counts["ENROLMENT"] == 0


def test_opening_registers_that_differ_and_none_at_all_are_found(tmp_path):
    story = Story(tmp_path / "differ")
    replace_node(story, opening_of(story, make.STEP_MS))
    assert story.judge().counts["ENROLMENT"] == 1
    story = Story(tmp_path / "none")
    replace_node(story, None)
    assert story.judge().counts["OPENING-ABSENT"] == 1


def test_the_roster_refuses_what_contradicts_it(story):
    maker = story.maker
    maker.enrol("node", maker.nodes[0])
    maker.enrol("permit", make.Pair("gateway", 60))
    stranger = make.Pair("n01", 61)
    story.revoke(stranger, 0)
    story.revoke(maker.gateway, 1, role="gateway")
    story.revoke(stranger, 0, role="log")
    result = story.judge()
    assert (result.counts["ENROLMENT"], result.counts["UNSUPPORTED"]) == (3, 1)
    assert result.counts["ENROLMENT-REPEATED"] == 1


def fork(story, second, number, index=0):
    digest = leaf_hash(second).hex()
    story.maker.log.write(f"blobs/{digest}", second)
    one = story.maker.nodes[0]
    story.gateway(
        "fork",
        about={"node": one.node, "keyid": one.keyid},
        forkSeq=number,
        index=index,
        second=digest,
    )


def second_of(story):
    """Another envelope with the newest number of the first node, and that number."""
    one = story.maker.nodes[0]
    log, seq, prev = story.maker.log, one.seq, one.prev
    kept = (log.size, list(log.entries), list(log.leaves), list(log.peaks))
    one.seq, one.prev = seq - 1, "cd" * 32
    story.maker.time_ms += 1
    board = story.maker.board(one, 1)
    specific = {"kind": "REFUSED", "equipment": f"m-{one.node}", "reason": "x", "permit": None}
    specific |= {"count": 1, "fromMs": None, "toMs": None, "about": None, "actor": None}
    story.maker.state(one, "denial", specific, story.maker.subjects[one.node], board)
    second = log.entries[-1]
    log.size, log.entries, log.leaves, log.peaks = kept
    one.seq, one.prev = seq, prev
    return second, seq


def test_a_fork_fails_and_is_answered_by_a_revocation_below_it(tmp_path):
    story = Story(tmp_path / "open")
    fork(story, *second_of(story))
    result = story.judge()
    assert (result.counts["FORK"], result.counts["FORK-FALSE"]) == (1, 0)
    assert result.verdict("authentic") == "FAIL"
    story = Story(tmp_path / "answered")
    second, number = second_of(story)
    fork(story, second, number)
    story.revoke(story.maker.nodes[0], number - 1)
    result = story.judge()
    assert (result.counts["FORK-ANSWERED"], result.counts["FORK"]) == (1, 0)


def test_a_fork_that_the_gateway_made_up_is_false(story):
    second, number = second_of(story)
    fork(story, second, number + 1)
    fork(story, story.maker.log.entries[0], 1)
    fork(story, second, number, index=10_000)
    assert story.judge().counts["FORK-FALSE"] == 3


def close_of(story, **changes):
    size = story.maker.log.size
    nodes = []
    for node in story.maker.nodes:
        run_ms = story.number * make.STEP_MS
        register = {"id": f"m-{node.node}", "runMs": run_ms, "starts": 1, "volumeMl": run_ms}
        entry = {"node": node.node, "keyid": node.keyid, "firstSeq": 1, "lastSeq": node.seq}
        entry |= {"head": node.prev, "registers": [register], "gaps": [], "hourMeters": []}
        nodes.append({**entry, **changes})
    times = {"from": 0, "to": size, "fromMs": make.START_MS, "toMs": story.maker.time_ms}
    story.gateway("period-close", **times, part=1, parts=1, nodes=nodes, late=[])


def test_a_period_close_is_recomputed(tmp_path):
    story = Story(tmp_path / "good")
    close_of(story)
    assert story.judge().counts["PERIOD-CLOSE"] == 0
    for name, changes in (
        ("seq", {"lastSeq": 3}),
        ("head", {"head": "ab" * 32}),
        ("gap", {"gaps": [3]}),
    ):
        story = Story(tmp_path / name)
        close_of(story, **changes)
        assert story.judge().counts["PERIOD-CLOSE"] == 1


def test_without_a_witness_of_the_policy_no_time_is_known(story):
    assert story.judge(witnesses=()).counts["NO-ANCHOR"] == 1


def test_outside_times_too_far_apart_bound_nothing(story):
    result = story.judge(anchor_lag_s_max=30)
    assert result.counts["TIME-BOUND"] > 0
    assert result.verdict("time-trustworthy") == "INSUFFICIENT"


@pytest.mark.parametrize(
    ("shift_ms", "codes"),
    [(-make.DAY_MS, {"BACKDATED", "TIME-BACK"}), (make.DAY_MS, {"POSTDATED"})],
)
def test_a_moved_clock_is_found_by_outside_times(story, shift_ms, codes):
    maker = story.maker
    maker.anchor()
    maker.see()
    honest_ms = maker.time_ms
    node = maker.nodes[0]
    maker.time_ms += shift_ms
    board = maker.board(node, 4 * make.STEP_MS) | {"upMs": honest_ms - make.START_MS + 1}
    specific = {"kind": "REFUSED", "equipment": f"m-{node.node}", "reason": "x", "permit": None}
    specific |= {"count": 1, "fromMs": None, "toMs": None, "about": None, "actor": None}
    maker.state(node, "denial", specific, maker.subjects[node.node], board)
    maker.time_ms = honest_ms
    assert codes <= set(story.judge().counts)


def test_statements_beyond_the_last_outside_time_are_told(story):
    story.finish()
    path = story.folder / "log" / "checkpoint"
    data = path.read_bytes()
    path.write_bytes(data.removesuffix(data.splitlines(keepends=True)[-1]))
    result = story.judge(finish=False)
    assert result.counts["UNWITNESSED"] == 1
    assert result.anchored < result.size


def test_a_cosignature_of_something_else_fails(story):
    story.finish()
    path = story.folder / "log" / "checkpoint"
    data = path.read_bytes()
    line = data.splitlines()[-1]
    other = story.maker.witness.cosign(b"other\n1\n\n", 1)
    path.write_bytes(data.replace(line + b"\n", make.format_signatures([other])))
    assert story.judge(finish=False).counts["COSIGNATURE"] == 1


def test_an_anchor_that_the_gateway_made_up_is_found(story):
    story.gateway(
        "time-anchor",
        kind="cosignature",
        source="witness.example",
        size=3,
        root="ab" * 32,
        anchorMs=1,
        token="cd" * 32,
    )
    assert story.judge().counts["ANCHOR"] == 1


def test_statements_played_again_are_found_also_where_they_were_joined(story):
    entries = list(story.maker.log.entries)
    for entry in entries[-8:]:
        story.maker.log.append(entry)
    assert story.judge().counts["DOUBLE-NUMBER"] == 8


def test_runs_change_no_verdict(story):
    story.rounds(20)
    story.finish()
    joined = as_json(story.judge(finish=False))

    class Single(Inline):
        def receive(self):
            self.join = False
            return super().receive()

    single = as_json(story.judge(finish=False, work=Single(open_source(story.folder))))
    assert joined == single


def test_a_licence_counts_by_its_issuers_signature(tmp_path):
    issuer = make.Pair("issuer", 5)
    story = Story(tmp_path)
    for path in sorted((story.folder / "licences").iterdir()):
        data = path.read_bytes()
        envelope = dsse.sign(data, dsse.LICENCE, issuer)
        story.maker.log.write(f"licences/{sha256(data).hexdigest()}.dsse", envelope)
    result = story.judge(licences=frozenset(), issuers=(issuer.spki,))
    assert result.counts["LICENCE-UNAUTHENTICATED"] == 0
    other = (make.Pair("other", 6).spki,)
    result = story.judge(finish=False, licences=frozenset(), issuers=other)
    assert result.counts["LICENCE-UNAUTHENTICATED"] == 2


class Kept:
    """A memory in this process."""

    def __init__(self, checked=None):
        self.checked = Checked() if checked is None else checked

    def load(self, _policy):
        return self.checked

    def save(self, _policy, checked):
        self.checked = checked


def test_what_was_checked_before_is_believed_only_under_the_same_root(tmp_path):
    story = Story(tmp_path, rounds=140)
    entries = story.maker.log.entries
    envelope = dsse.decode_envelope(entries[-1])
    forged = dsse.decode_envelope(entries[-2]).signature
    entries[-1] = dsse.encode_envelope(
        envelope.payload, envelope.payload_type, envelope.keyid, forged
    )
    story.finish()
    # a run that checked another log of the same length gains nothing
    wrong = Kept(Checked(256, bytes(32), frozenset()))
    result = story.judge(finish=False, memory=wrong)
    assert result.counts["SIGNATURE"] == 1


def by_node(story, kind, clock="S", **members):
    maker = story.maker
    node = maker.nodes[0]
    board = maker.board(node, story.number * make.STEP_MS) | {"clock": clock}
    if clock == "U":
        board["timeMs"] = None
    maker.state(node, kind, members, maker.subjects[node.node], board)


def test_a_statement_that_does_not_name_the_one_before_breaks_the_chain(story):
    story.maker.nodes[0].prev = "ab" * 32
    story.rounds(1)
    assert story.judge().counts["CHAIN-BROKEN"] == 1


def test_a_signed_gap_is_told_with_its_cause_and_explains_unaccounted_time(story):
    maker = story.maker
    name = f"m-{maker.nodes[0].node}"
    start_ms, up_ms = maker.time_ms, maker.time_ms - make.START_MS
    maker.time_ms += 10 * make.STEP_MS
    register = {"id": name, "runMs": 4 * make.STEP_MS, "starts": 1, "volumeMl": 4 * make.STEP_MS}
    by_node(
        story,
        "gap",
        what="metering",
        frames=None,
        fromMs=start_ms,
        toMs=maker.time_ms,
        fromUpMs=up_ms,
        toUpMs=maker.time_ms - make.START_MS,
        cause="input-lost",
        registersFrom=[register],
        registersTo=[register],
        statements=None,
        about=None,
        actor=None,
    )
    result = story.judge(gap_s_max=60)
    assert (result.counts["GAP"], result.counts["UNCOVERED-TIME"]) == (1, 2)
    assert result.timelines["SN-0"].gaps == [(start_ms, maker.time_ms - 1000, "input-lost")]
    assert result.timelines["SN-0"].totals()[2] > 9 * make.STEP_MS
    assert result.timelines["SN-1"].totals()[2:] == [0, 10 * make.STEP_MS]


def test_a_boot_says_what_was_lost_and_what_was_found_running(story):
    node = story.maker.nodes[0]
    by_node(
        story,
        "boot",
        spki=node.spki,
        resetCause="power-on",
        lost={"boot": 1, "frameSeq": 7, "atMostMs": 60_000},
        restored=None,
        foundRunning=[f"m-{node.node}"],
        claims=make.CLAIMS,
        tier=0,
    )
    counts = story.judge().counts
    assert (counts["LOST"], counts["FOUND-RUNNING"]) == (1, 1)


def test_use_under_an_unknown_clock_is_insufficient(story):
    up_ms = story.maker.time_ms - make.START_MS
    name = f"m-{story.maker.nodes[0].node}"
    use = {"id": name, "state": "compliant", "run": True, "runMs": 0, "starts": 0, "volumeMl": 0}
    by_node(
        story,
        "usage",
        clock="U",
        interval={"fromUpMs": up_ms, "toUpMs": up_ms + 1, "fromMs": None, "toMs": None},
        frames=None,
        equipment=[{**use, "permit": None, "startRequests": 0}],
        why=None,
    )
    counts = story.judge().counts
    assert (counts["USE-TIME-UNKNOWN"], counts["CLOCK"]) == (1, 1)


def test_without_the_licence_file_use_has_no_licence(story):
    story.maker.log.files = [
        item for item in story.maker.log.files if not item["path"].startswith("licences/")
    ]
    counts = story.judge().counts
    assert counts["LICENCE-ABSENT"] == 2
    assert counts["USE-WITHOUT-LICENCE"] > 0


def test_time_that_is_not_covered_counts_within_the_auditors_period(story):
    before_ms = story.maker.time_ms
    story.maker.time_ms += 20 * make.STEP_MS
    gone_ms = story.maker.time_ms
    story.rounds(2)
    story.finish()

    def uncovered(*period):
        result = verify(open_source(story.folder), story.policy(gap_s_max=60), period=period)
        return [found.detail for found in result.findings if found.code == "UNCOVERED-TIME"]

    assert [text.split()[0] for text in uncovered(None, None)] == ["1200", "1200"]
    assert uncovered(gone_ms, None) == uncovered(None, before_ms) == []
    half_ms = before_ms + 10 * make.STEP_MS
    assert [text.split()[0] for text in uncovered(half_ms, None)] == ["600", "600"]
    assert [text.split()[0] for text in uncovered(None, half_ms)] == ["600", "600"]
