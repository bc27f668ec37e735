"""Frames in a bundle: exported from the archive, verified with the log that they belong to."""

from __future__ import annotations

import os
import random
from contextlib import closing
from hashlib import sha256

import pytest
from click.testing import CliRunner

from evidence_site import enrolled_site
from frame_site import FramingNode, archive_frames, open_archive
from raffinate.archive.scan import ArchiveScan
from raffinate.audit import export_frames
from raffinate.audit.bundle import Frames, export
from raffinate.audit.framefile import parse_path, read_lines
from raffinate.audit.policy import format_policy, parse_policy
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify
from raffinate.cli.main import main
from raffinate.errors import RaffinateError
from raffinate.ingest.validate import FrameReader
from raffinate.keys import load_public

EQUIPMENT = (("bat-ext", "n01"), ("bat-scrub", "n02"))
START_MS = 1_795_255_200_000


class Bundles:
    """Two metering nodes; the descriptors name their flow points."""

    def __init__(self, folder):
        self.folder = folder
        self.site, nodes = enrolled_site(folder, 2, equipment=EQUIPMENT)
        self.framings = []
        for (name, _), node in zip(EQUIPMENT, nodes, strict=True):
            file = self.site.plant.equipment[name].descriptor
            file.write_text(file.read_text() + 'volume = "e01/flow_aq"\n')
            node.subject = [(f"equipment/{name}.toml", sha256(file.read_bytes()).hexdigest())]
            node.time_ms = START_MS
            self.framings.append(FramingNode(node))
            self.site.submit(node, node.boot())
        self.made = []
        self.count = 0

    def run(self, intervals, scans=20):
        for _ in range(intervals):
            for framing in self.framings:
                self.made += framing.scans(scans)
                self.site.submit(framing.node, framing.usage())

    def archive(self, frames=None, **changes):
        archive_frames(self.site.data, self.made if frames is None else frames, **changes)

    def export(self, name="", **changes):
        self.count += 1
        target = self.folder / (name or f"bundle-{self.count}")
        descriptors = [item.descriptor for item in self.site.plant.equipment.values()]
        wanted = {"now_ms": self.site.now_ms, "frames": Frames(), **changes}
        done = export(self.site.keys, self.site.data, descriptors, target, **wanted)
        return target, done

    def verify(self, target):
        text = format_policy(load_public(self.site.keys), [], ["SN-0", "SN-1"])
        return verify(open_source(target), parse_policy("policy", text))

    def frame_codes(self, target):
        counts = self.verify(target).counts
        return {code: n for code, n in counts.items() if code.startswith(("FRAME", "FILE"))}


@pytest.fixture
def bundles(tmp_path):
    made = Bundles(tmp_path)
    yield made
    made.site.close()


def frames_of(target):
    return [
        frame.data
        for path in sorted((target / "frames").rglob("*.gz"))
        for frame in read_lines(path.read_bytes())
    ]


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_frames_complete_the_bundle_whatever_order_they_came_in(bundles, name):
    bundles.run(6)
    shuffled = list(bundles.made)
    random.Random(3).shuffle(shuffled)
    bundles.archive(shuffled)
    target, done = bundles.export(name)
    assert (done.frames.frames, done.frames.boots) == (240, 2)
    result = bundles.verify(target)
    assert result.verdict("complete") == "PASS", result.counts
    assert not [code for code in result.counts if code.startswith("FRAME")]
    if target.is_dir():
        exported = frames_of(target)
        assert sorted(exported) == sorted(bundles.made)
        seqs = [FrameReader().read(data).seq for data in exported]
        assert seqs == [*range(120), *range(120)]
        again, _ = bundles.export("again")
        for path in (target / "frames").rglob("*.gz"):
            assert (again / path.relative_to(target)).read_bytes() == path.read_bytes()


def test_many_small_windows_and_runs_give_the_same_files(bundles, monkeypatch):
    bundles.run(6)
    bundles.archive(list(reversed(bundles.made)), batch=3)
    whole, _ = bundles.export()
    monkeypatch.setattr(export_frames, "WINDOW_BYTES_MAX", 2000)
    monkeypatch.setattr(export_frames, "CHUNK_BYTES_MAX", 500)
    monkeypatch.setattr(export_frames, "RUNS_MERGED_MAX", 3)
    pieces, _ = bundles.export()
    assert frames_of(pieces) == frames_of(whole)
    assert not list(bundles.folder.glob(".*"))


def test_a_frame_that_the_archive_lacks_or_has_changed_is_found(bundles):
    bundles.run(4)
    missing = [data for at, data in enumerate(bundles.made) if at != 45]
    bundles.archive(missing)
    target, _ = bundles.export()
    assert bundles.frame_codes(target) == {"FRAME-MISSING": 1}
    assert bundles.verify(target).verdict("complete") == "FAIL"


def test_a_changed_frame_is_not_authentic(bundles):
    bundles.run(4)
    changed = [data.replace(b"0.006", b"0.009") if at == 45 else data
               for at, data in enumerate(bundles.made)]  # fmt: skip
    bundles.archive(changed)
    result = bundles.verify(bundles.export()[0])
    assert result.counts["FRAME-CHANGED"] == 1
    assert result.verdict("authentic") == "FAIL"


def test_a_period_has_whole_statements_and_equipment_its_nodes(bundles):
    bundles.run(10)
    bundles.archive()
    period = {"from_ms": START_MS + 65_000, "to_ms": START_MS + 130_000}
    target, done = bundles.export(**period)
    # statements of 20 s each: those from 60 to 140 s
    assert done.frames.frames == 2 * 80
    assert bundles.frame_codes(target) == {}
    target, done = bundles.export(frames=Frames(frozenset(["n02"])), **period)
    assert done.frames.frames == 80
    names = {parse_path(path.relative_to(target).as_posix()).node
             for path in (target / "frames").rglob("*.gz")}  # fmt: skip
    assert names == {"n02"}
    assert bundles.frame_codes(target) == {"FRAMES-ABSENT": 1}
    assert bundles.verify(target).verdict("complete") == "INSUFFICIENT"


def test_a_clock_of_the_gateway_that_was_set_back_loses_nothing(bundles):
    bundles.run(4)
    late_ms = START_MS + 86_400_000
    bundles.archive(bundles.made[:80], received_ms=START_MS - 86_400_000)
    bundles.archive(bundles.made[80:], received_ms=late_ms)
    _, done = bundles.export(from_ms=START_MS)
    assert done.frames.frames == 160


def test_an_export_beside_a_writing_archive_takes_what_it_found(bundles):
    bundles.run(4)
    bundles.archive(bundles.made[:100])
    read = FrameReader().read
    with closing(open_archive(bundles.site.data)) as archive:

        def write(*_):
            for data in bundles.made[100:]:
                archive.append([(read(data), START_MS, None, ())])

        _, done = bundles.export(frames=Frames(None, write))
    assert done.frames.frames == 100
    target, done = bundles.export()
    assert done.frames.frames == 160
    assert bundles.frame_codes(target) == {}


def test_a_full_disk_leaves_nothing_and_says_so(bundles, monkeypatch):
    bundles.run(2)
    bundles.archive()

    def fail(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(export_frames, "pack_lines", fail)
    with pytest.raises(RaffinateError, match=r"No space left on device.*export again"):
        bundles.export("full")
    assert not [path for path in bundles.folder.iterdir() if "full" in path.name]
    monkeypatch.undo()
    assert bundles.export("full")[1].frames.frames == 80


def test_an_archive_whose_blocks_were_cut_out_says_so(bundles):
    bundles.run(2)
    bundles.archive(batch=10)
    with closing(open_archive(bundles.site.data)) as archive:
        archive._db.execute("DELETE FROM blocks WHERE first = 21")
    with pytest.raises(RaffinateError, match="lists 80 frames of the period and has 70"):
        bundles.export()


def test_the_scan_finds_its_place_by_time(bundles):
    bundles.run(2)
    for at in range(0, 80, 10):
        bundles.archive(bundles.made[at : at + 10], received_ms=START_MS + at)
    with closing(ArchiveScan(bundles.site.data / "archive.sqlite")) as scan:
        for ms, most in ((0, 0), (5, 10), (35, 40), (1000, 79)):
            after = scan.received_after(START_MS + ms)
            assert after <= most
            assert all(raw.received_ms < START_MS + ms
                       for block in scan.blocks(0) for raw in block
                       if raw.position <= after)  # fmt: skip
        assert scan.last_position() == 80


def test_the_command_names_unknown_equipment_and_a_period_turned_round(tmp_path):
    run = CliRunner().invoke
    run(main, ["init", str(tmp_path)])
    command = ["audit", "export", str(tmp_path / "b"), "--plant", str(tmp_path / "plant.toml")]
    found = run(main, [*command, "--equipment", "nothing"])
    assert found.exit_code == 2
    assert "bat-ext, bat-scrub, bat-strip" in found.output
    period = ["--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z"]
    assert run(main, [*command, *period]).exit_code == 2
