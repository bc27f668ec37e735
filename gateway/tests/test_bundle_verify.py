"""Export, then offline verification: an honest bundle, and hostile ones named by their defect."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_site import START_MS, enrolled_site
from node_simulator import SimulatedNode
from raffinate.audit.bundle import export
from raffinate.audit.findings import CODES, QUESTIONS
from raffinate.audit.policy import add_digests, format_policy, parse_policy
from raffinate.audit.report import as_json, as_text, exit_status
from raffinate.audit.source import BundleError, open_source
from raffinate.audit.verify import verify
from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.keys import load_public
from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.note import sign_note
from raffinate.tlog.tiles import decode_bundle, encode_bundle
from raffinate.tlog.tree import Tree
from raffinate_wire.permit import parse_permit

EQUIPMENT = (("bat-ext", "n01"), ("bat-scrub", "n02"))


class Audit:
    """A site with two licensed batteries, its auditor's policy, and exports of it."""

    def __init__(self, folder):
        self.folder = folder
        self.site, self.nodes = enrolled_site(folder, 2, equipment=EQUIPMENT)
        for node in self.nodes:
            name = next(name for name, owner in EQUIPMENT if owner == node.node)
            descriptor = self.site.plant.equipment[name].descriptor.read_bytes()
            node.subject = [(f"equipment/{name}.toml", sha256(descriptor).hexdigest())]
            node.time_ms = START_MS
        self.licences = [self.site.licence("a.toml", "SN-0"), self.site.licence("b.toml", "SN-1")]
        self.site.tick(2000)
        self.policy_file = folder / "auditor" / "policy.toml"
        self.policy_file.parent.mkdir()
        text = format_policy(load_public(self.site.keys), [], ["SN-0", "SN-1"])
        digests = [sha256(data).hexdigest() for data in self.licences]
        self.policy_file.write_text(add_digests("policy", text, digests))

    def send(self, node, *envelopes):
        return self.site.submit(node, *envelopes)

    def run(self, count=3):
        silent = [node for node in self.nodes if not node.seq]
        for node in silent:
            self.send(node, node.boot())
        if silent:
            self.site.tick(2000)  # a node that has spoken is given its permit
        for node in self.nodes:
            self.send(node, *(node.usage(1000, permit=1) for _ in range(count)))

    def export(self, name="bundle", **period):
        target = self.folder / name
        export(
            self.site.keys,
            self.site.data,
            [item.descriptor for item in self.site.plant.equipment.values()],
            target,
            now_ms=self.site.now_ms,
            **period,
        )
        return target

    def policy(self, **changes):
        found = parse_policy("policy", self.policy_file.read_text())
        for name, value in changes.items():
            object.__setattr__(found, name, value)
        return found

    def verify(self, target=None, **changes):
        target = self.export() if target is None else target
        return verify(open_source(target), self.policy(**changes))


@pytest.fixture
def audit(tmp_path):
    made = Audit(tmp_path)
    yield made
    made.site.close()


def verdicts(result):
    return [result.verdict(question) for question in QUESTIONS]


HONEST = ["PASS", "INSUFFICIENT", "INSUFFICIENT", "PASS"]


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_an_honest_bundle_is_authentic_and_licence_conformant(audit, name):
    audit.run()
    result = audit.verify(audit.export(name))
    assert verdicts(result) == HONEST
    assert set(result.counts) == {"FRAMES-ABSENT", "NO-ANCHOR"}
    assert result.machines == {"SN-0": "PASS", "SN-1": "PASS"}
    assert result.size == result.entries == audit.site.service._log.size
    assert exit_status(result) == 3
    text = as_text(result)
    assert text.startswith("log demo.example/raffinate/ndpr size 16 root ")
    assert "Not legal advice" in text
    assert json.loads(orjson.dumps(as_json(result)))["verdicts"]["authentic"] == "PASS"


def test_without_a_policy_nothing_is_more_than_insufficient(audit):
    audit.run()
    result = verify(open_source(audit.export()), None)
    assert verdicts(result) == ["INSUFFICIENT"] * 4
    assert result.first("authentic").code == "UNTRUSTED-ROOT"


def test_a_refused_start_is_a_notice_and_a_bridged_one_fails_that_machine_alone(audit):
    audit.run()
    one, two = audit.nodes
    audit.send(one, one.denial("REFUSED"))
    result = audit.verify(audit.export("refused"))
    assert verdicts(result) == HONEST
    assert result.counts["REFUSED"] == 1
    audit.send(two, two.denial("STARTED-ANYWAY", "bat-scrub", "no-permit"))
    result = audit.verify(audit.export("bridged"))
    assert verdicts(result) == [*HONEST[:3], "FAIL"]
    assert result.machines == {"SN-0": "PASS", "SN-1": "FAIL"}
    assert result.first("licence-conformant").code == "STARTED-ANYWAY"
    assert exit_status(result) == 4


def test_running_on_after_the_end_fails_and_so_does_a_start(audit):
    audit.run(1)
    one, _ = audit.nodes
    one.time_ms = START_MS + 86400 * 31 * 1000
    audit.send(one, one.usage(permit=1))
    result = audit.verify(audit.export("on"))
    assert result.machines == {"SN-0": "FAIL", "SN-1": "PASS"}
    assert (result.counts["RAN-ON"], result.counts["USE-OUTSIDE-LICENCE"]) == (1, 1)
    assert result.first("licence-conformant").detail.startswith("0.00 h from 2026-12-")
    started = SimulatedNode.usage
    payload = parse_statement(dsse.decode_envelope(started(one, permit=1)).payload).body
    use = [{**item, "starts": 1} for item in payload["equipment"]]
    specific = {"interval": payload["interval"], "frames": None, "equipment": use, "why": None}
    audit.send(one, one.sent[one.seq], one.sign("usage", specific))
    result = audit.verify(audit.export("started"))
    assert result.counts["START-OUTSIDE-LICENCE"] == 1
    assert result.machines == {"SN-0": "FAIL", "SN-1": "PASS"}


def test_a_licence_that_the_policy_does_not_list_is_unauthenticated(audit):
    audit.run()
    result = audit.verify(licences=frozenset({sha256(audit.licences[0]).hexdigest()}))
    assert result.counts["LICENCE-UNAUTHENTICATED"] == 1
    assert result.machines == {"SN-0": "PASS", "SN-1": "INSUFFICIENT"}
    assert result.verdict("licence-conformant") == "INSUFFICIENT"


def test_an_edited_licence_is_another_licence(audit):
    audit.run()
    audit.site.licence("a.toml", "SN-0", end_s=86400 * 300)
    audit.site.tick(2000)
    result = audit.verify()
    assert result.counts["LICENCE-UNAUTHENTICATED"] == 1
    assert result.machines["SN-0"] == "INSUFFICIENT"


def test_a_dropped_node_is_seen_by_the_policys_serials(audit):
    one, _ = audit.nodes
    audit.send(one, one.boot(), one.usage(permit=1))
    result = audit.verify()
    assert result.counts["EQUIPMENT-UNCOVERED"] == 1
    assert result.verdict("complete") == "FAIL"


def test_a_dropped_statement_is_missing(audit):
    audit.run(1)
    one, _ = audit.nodes
    one.usage()
    audit.send(one, one.usage())
    audit.site.tick(60_000)
    result = audit.verify()
    assert result.counts["MISSING"] == 1
    assert result.first("complete").node == "n01"
    assert result.verdict("complete") == "FAIL"


def test_a_skipped_number_is_a_notice(audit):
    audit.run(1)
    one, _ = audit.nodes
    one.skip()
    audit.send(one, one.usage())
    result = audit.verify()
    assert (result.counts["SKIPPED"], result.verdict("authentic")) == (1, "PASS")
    assert result.counts["MISSING"] == 0


def test_a_cloned_key_is_a_fork_with_the_second_envelope_in_the_bundle(audit):
    audit.run(1)
    clone = SimulatedNode("n01", 1000)
    clone.boot()
    audit.send(clone, clone.usage())
    result = audit.verify(audit.export("fork"))
    assert result.counts["FORK"] == 1
    assert result.counts["FILE-MISSING"] == 0
    assert result.verdict("authentic") == "FAIL"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda node: node.registers["bat-ext"].__setitem__(0, 1), "REGISTER-FELL"),
        (lambda node: setattr(node, "boot_number", 0), "BOOT-FELL"),
        (lambda node: setattr(node, "time_ms", START_MS - 10**7), "TIME-BACK"),
        (lambda node: setattr(node, "clock", "R"), "CLOCK"),
        (lambda node: setattr(node, "seen", {"size": 3, "root": "ab" * 32}), "SEEN-MISMATCH"),
        (lambda node: setattr(node, "seen", {"size": 999, "root": "ab" * 32}), "SEEN-AHEAD"),
    ],
)
def test_a_board_that_contradicts_itself_is_found(audit, change, code):
    audit.run()
    change(audit.nodes[0])
    audit.send(audit.nodes[0], audit.nodes[0].usage(0))
    result = audit.verify()
    assert result.counts[code] == 1
    found = next(finding for finding in result.findings if finding.code == code)
    assert (found.node, found.seq) == ("n01", audit.nodes[0].seq)


def test_a_seen_that_falls_is_found(audit):
    audit.run()
    one, _ = audit.nodes
    root = audit.site.service._log
    one.seen = {"size": root.size, "root": root.root.hex()}
    audit.send(one, one.usage(permit=1))
    assert audit.verify(audit.export("good")).counts["SEEN-MISMATCH"] == 0
    one.seen = {"size": 0, "root": sha256(b"").hexdigest()}
    audit.send(one, one.usage(permit=1))
    result = audit.verify(audit.export("fell"))
    assert result.counts["SEEN-FELL"] == 1


def test_uncovered_time_above_the_policys_limit_is_insufficient(audit):
    audit.run()
    one, _ = audit.nodes
    one.up_ms += 7_200_000
    one.time_ms += 7_200_000
    audit.send(one, one.usage(permit=1))
    result = audit.verify()
    nodes = [found.node for found in result.findings if found.code == "UNCOVERED-TIME"]
    assert nodes == ["n01", "n02"]  # one between two statements, the other after its last
    assert audit.verify(audit.folder / "bundle", gap_s_max=8000).counts["UNCOVERED-TIME"] == 0


def test_a_bundle_that_ends_before_its_period_or_below_the_pin_is_old(audit):
    audit.run()
    late = audit.export("late", to_ms=START_MS + 10**8)
    assert audit.verify(late).counts["BUNDLE-OLD"] == 1
    root = audit.site.service._log.root
    good = audit.export("good", to_ms=START_MS)
    assert audit.verify(good, pin=(17, root)).counts["BUNDLE-OLD"] == 1
    assert audit.verify(good, pin=(16, root)).counts["PIN-MISMATCH"] == 0
    assert audit.verify(good, pin=(16, root[::-1])).counts["PIN-MISMATCH"] == 1


def test_a_self_made_trust_root_is_refused_by_the_policys_keys(audit, tmp_path):
    audit.run()
    other = Audit(tmp_path / "other")
    other.run()
    result = audit.verify(other.export())
    assert result.verdict("authentic") == "FAIL"
    assert result.counts["CHECKPOINT"] == 1
    other.site.close()


def rewrite(bundle, audit, entries):
    """A bundle whose log was made anew over `entries`, signed with the site's own keys."""
    keys = audit.site.service._keys
    shutil.rmtree(bundle / "log")
    tree = Tree(bytes).extend([leaf_hash(entry) for entry in entries]).tree
    for level, tile, subtree in tree.edge():
        path = bundle / "log" / f"tile/{level}/{tile:03d}.p/{len(subtree)}"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(subtree.levels[0]))
    path = bundle / "log" / f"tile/entries/000.p/{len(entries)}"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_bundle(entries))
    head = Checkpoint(keys.origin, len(entries), tree.root())
    (bundle / "log" / "checkpoint").write_bytes(sign_note(format_checkpoint(head), keys.log))
    relist(bundle, keys.gateway)


def relist(bundle, pair):
    manifest = bundle / "MANIFEST.json"
    value = orjson.loads(dsse.decode_envelope(manifest.read_bytes(), 10**7).payload)
    value["files"] = [
        {
            "path": path.relative_to(bundle).as_posix(),
            "size": path.stat().st_size,
            "sha256": sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and path != manifest
    ]
    manifest.write_bytes(dsse.sign(orjson.dumps(value), dsse.MANIFEST, pair))


def entries_of(bundle):
    (path,) = (bundle / "log/tile/entries/000.p").iterdir()
    return decode_bundle(path.read_bytes(), int(path.name))


def test_a_rewritten_log_is_itself_accepted(audit):
    audit.run()
    bundle = audit.export()
    rewrite(bundle, audit, entries_of(bundle))
    assert verdicts(audit.verify(bundle)) == HONEST


@pytest.mark.parametrize(
    ("defect", "code"),
    [
        ("a hidden enrolment", "UNENROLLED"),
        ("a dropped last statement", None),
        ("a dropped middle statement", "MISSING"),
        ("a doubled statement", "DOUBLE-NUMBER"),
        ("an entry that is none", "ENTRY"),
        ("a forged signature", "SIGNATURE"),
        ("a foreign permit", "UNENROLLED"),
        ("a permit by the gateway key", "WRONG-SIGNER"),
        ("a permit beyond its licence", "PERMIT-BEYOND-LICENCE"),
        ("a permit with too high a limit", "PERMIT-LIMIT"),
        ("a replayed permit", "PERMIT-SERIAL"),
        ("a hidden permit", "PERMIT-UNKNOWN"),
    ],
)
def test_a_log_made_anew_by_the_keys_holder_shows(audit, defect, code):
    audit.run()
    bundle = audit.export()
    entries = entries_of(bundle)
    keys = audit.site.service._keys
    permits = [i for i, entry in enumerate(entries) if b"permit+json" in entry]
    members = orjson.loads(dsse.decode_envelope(entries[permits[0]]).payload)

    def permit(pair=keys.permit, **changes):
        payload = orjson.dumps({**members, **changes})
        parse_permit(payload)
        return dsse.sign(payload, dsse.PERMIT, pair)

    node = SimulatedNode("n09", 77)
    edits = {
        "a hidden enrolment": lambda: entries.pop(2),
        "a dropped last statement": entries.pop,
        "a dropped middle statement": lambda: entries.pop(-2),
        "a doubled statement": lambda: entries.append(entries[-1]),
        "an entry that is none": lambda: entries.append(b"{}"),
        "a foreign permit": lambda: entries.insert(permits[-1] + 1, permit(node.pair)),
        "a permit by the gateway key": lambda: entries.append(permit(keys.gateway, serial=2)),
        "a permit beyond its licence": lambda: entries.append(
            permit(stages=["e01", "t09"], serial=2)
        ),
        "a permit with too high a limit": lambda: entries.append(
            permit(serial=2, runMsLimit=members["runMsLimit"] + 10**9)
        ),
        "a replayed permit": lambda: entries.append(entries[permits[0]]),
        "a hidden permit": lambda: entries.pop(permits[0]),
    }
    if defect == "a forged signature":
        envelope = dsse.decode_envelope(entries[-1])
        other = dsse.decode_envelope(entries[-2])
        entries[-1] = dsse.encode_envelope(
            envelope.payload, envelope.payload_type, envelope.keyid, other.signature
        )
    else:
        edits[defect]()
    rewrite(bundle, audit, entries)
    result = audit.verify(bundle)
    if code is None:
        assert verdicts(result) == HONEST
        return
    assert result.counts[code] >= 1
    assert "FAIL" in verdicts(result)


@pytest.mark.parametrize(
    ("path", "edit", "code"),
    [
        ("log/tile/entries/000.p/16", lambda data: data + b"\0\x01x", "ENTRIES"),
        ("log/tile/entries/000.p/16", lambda data: data[:-1], "ENTRIES"),
        ("log/tile/0/000.p/16", lambda data: data[:-32] + bytes(32), "TILE"),
        ("log/tile/0/000.p/16", lambda data: data[:-1], "TILE"),
        ("log/checkpoint", lambda data: data.replace(b"\n16\n", b"\n15\n"), "CHECKPOINT"),
        ("log/checkpoint", lambda data: data.rsplit("\u2014".encode(), 1)[0], "CHECKPOINT"),
        ("MANIFEST.json", lambda data: data[:-1], "MANIFEST"),
        ("MANIFEST.json", None, "MANIFEST"),
        ("README.txt", lambda data: data + b"x", "FILE-CHANGED"),
        ("README.txt", None, "FILE-MISSING"),
        ("log/tile/0/000.p/16", None, "FILE-MISSING"),
        ("log/checkpoint", None, "FILE-MISSING"),
        ("extra.txt", lambda data: data + b"x", "FILE-EXTRA"),
    ],
)
def test_a_changed_file_is_found_under_its_own_code(audit, path, edit, code):
    audit.run()
    bundle = audit.export()
    target = bundle / path
    if edit is None:
        target.unlink()
    else:
        target.write_bytes(edit(target.read_bytes() if target.exists() else b""))
    result = audit.verify(bundle)
    assert result.counts[code] == 1
    assert result.verdict("authentic") == "FAIL"


def test_a_manifest_signed_by_another_key_is_refused(audit):
    audit.run()
    bundle = audit.export()
    relist(bundle, SimulatedNode("n09", 77).pair)
    assert audit.verify(bundle).counts["MANIFEST"] == 1
    relist(bundle, audit.nodes[0].pair)
    assert audit.verify(bundle).counts["MANIFEST"] == 1


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    made = Audit(tmp_path_factory.mktemp("small"))
    made.run(1)
    bundle = made.export()
    made.site.close()
    return made, bundle


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_single_bit_flip_is_found(small, data):
    audit, bundle = small
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    target = data.draw(st.sampled_from(files))
    content = target.read_bytes()
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[place // 8] ^= 1 << place % 8
    target.write_bytes(flipped)
    try:
        assert audit.verify(bundle).verdict("authentic") == "FAIL"
    finally:
        target.write_bytes(content)


def test_a_gateway_that_runs_on_does_not_disturb_an_export(audit):
    for _ in range(12):
        audit.run(12)
    before = audit.export("before")
    assert audit.site.service._log.size > 256
    assert verdicts(audit.verify(before)) == HONEST
    assert audit.verify(before).entries == audit.site.service._log.size


def test_an_export_never_overwrites_and_leaves_nothing_behind_when_broken_off(audit):
    audit.run()
    audit.export()
    with pytest.raises(RaffinateError, match="there already"):
        audit.export()

    class StopError(Exception):
        pass

    def stop(_done, _total):
        raise StopError

    with pytest.raises(StopError):
        audit.export("half", progress=stop)
    assert not [path for path in audit.folder.iterdir() if "half" in path.name]


def test_what_is_no_bundle_is_said_plainly(tmp_path):
    with pytest.raises(BundleError, match="is not there"):
        open_source(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(BundleError, match="neither a folder nor a zip"):
        open_source(tmp_path / "file")


def test_every_code_has_a_meaning_a_remedy_and_a_place_in_the_table():
    for name, code in CODES.items():
        assert name == name.upper()
        assert code.meaning.endswith(".")
        assert code.remedy.endswith(".")
        assert code.question in (*QUESTIONS, None)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("log/checkpoint", b"junk"),
        ("log/checkpoint", None),
        ("log/tile/entries/000.p/16", b""),
        ("log/tile/entries/000.p/16", None),
    ],
)
def test_what_cannot_be_read_is_no_pass_in_any_verdict(audit, path, data):
    audit.run()
    bundle = audit.export()
    (bundle / path).unlink()
    if data is not None:
        (bundle / path).write_bytes(data)
    result = audit.verify(bundle)
    assert result.counts["LOG-UNREAD"] == 1
    assert verdicts(result)[0] == "FAIL"
    assert "PASS" not in verdicts(result)


def test_the_bundles_own_keys_are_read_to_a_limit(audit):
    audit.run()
    bundle = audit.export()
    (bundle / "keys.json").write_bytes(b"[" + b"[]," * 500_000 + b"1]")
    result = verify(open_source(bundle), None)
    assert any("over 256 KiB" in finding.detail for finding in result.findings)
    assert verdicts(result)[0] == "FAIL"


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a" + ".a" * 30_000 + " = 1", "a = 1" * 2])
def test_a_policy_that_is_no_toml_is_refused_in_words(text):
    with pytest.raises(ConfigError, match=r"p\.toml: not TOML: "):
        parse_policy("p.toml", text)


def test_a_manifest_of_millions_of_items_is_not_unpacked(audit):
    audit.run()
    bundle = audit.export()
    payload = b'{"v":1,"files":[' + b"[]," * 1_000_001 + b"1]}"
    key = audit.site.service._keys.gateway
    (bundle / "MANIFEST.json").write_bytes(dsse.sign(payload, dsse.MANIFEST, key))
    result = audit.verify(bundle)
    assert result.counts["MANIFEST"] == 1
    assert any("over 1000000 items" in finding.detail for finding in result.findings)


@pytest.mark.parametrize("name", ["log/checkpoint", "evidence.sqlite"])
def test_of_a_damaged_data_folder_nothing_is_exported(audit, name):
    audit.run()
    audit.site.close()
    (audit.site.data / name).write_bytes(b"junk, and no database" * 500)
    with pytest.raises(RaffinateError, match="is damaged"):
        audit.export()


def test_a_documents_name_leads_nowhere_outside_of_the_bundle(audit, tmp_path):
    audit.run()
    audit.site.close()
    outside = tmp_path / "outside"
    with closing(sqlite3.connect(audit.site.data / "evidence.sqlite")) as database, database:
        database.execute(
            "INSERT INTO documents (sha256, kind, name, data) VALUES (?, 'document', '', x'00')",
            (str(outside),),
        )
    with pytest.raises(RaffinateError, match="is damaged"):
        audit.export()
    assert not list(tmp_path.glob("outside*"))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE documents SET data = 7",
        "UPDATE documents SET data = 'text'",
        "UPDATE documents SET sha256 = 1.5",
        "UPDATE documents SET sha256 = x'00'",
        "UPDATE documents SET kind = x'00'",
        "UPDATE documents SET kind = 'signature', name = x'00'",
        "UPDATE documents SET kind = CAST(x'ff' AS TEXT)",
        "UPDATE log_head SET time_ms = 'soon'",
        "INSERT INTO anchors VALUES ('w', 'cosignature', 1, x'', 0, 0, 7, 0, 0)",
        "INSERT INTO anchors VALUES ('w', 'cosignature', 1, x'', 0, 'x', x'', 0, 0)",
    ],
)
def test_a_value_of_a_wrong_type_in_the_database_is_told_in_words(audit, damage):
    audit.run()
    audit.site.close()
    with closing(sqlite3.connect(audit.site.data / "evidence.sqlite")) as database, database:
        only = " WHERE rowid = (SELECT max(rowid) FROM documents)" if "documents" in damage else ""
        assert database.execute(damage + only).rowcount == 1
    with pytest.raises(RaffinateError, match=r"is damaged.* Restore") as told:
        audit.export()
    assert told.value.exit_status == 1
