"""Reconcile: exactly the rows that someone edited, deleted or added, in each kind of store."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from evidence_site import enrolled_site
from frame_site import FramingNode, archive_frames, open_archive
from node_simulator import SimulatedNode
from raffinate.audit.bundle import Frames, export
from raffinate.audit.export_frames import read_ranges
from raffinate.audit.framefile import pack_lines, read_lines
from raffinate.audit.reconcile import Reconciliation
from raffinate.cli.main import main
from raffinate.config import Influx
from raffinate.errors import RaffinateError
from raffinate.ingest.validate import FrameReader
from raffinate.series.codec import decode, encode
from raffinate.series.embedded import EmbeddedSeries
from raffinate.series.influx import InfluxReader, target
from raffinate.series.line_protocol import LineFormatter
from raffinate.series.projector import InfluxProjection, SeriesProjection
from raffinate.series.stored import StoredEmbedded, StoredInflux
from series_plant import plant

TAGS = "stage,node=n01,section=extraction,site=ndpr,stage=e01"


class Plant:
    """A node's frames in the archive and its statements in the log; the second half of a boot's
    clock stepped back, and a boot before knew no time."""

    def __init__(self, folder):
        self.folder = folder
        self.site, (node,) = enrolled_site(folder, 1)
        self.framing = FramingNode(node)
        self.site.submit(node, node.boot())
        self.framing.clock = "U"
        self.run(2, 30)
        self.framing.restart()
        self.framing.clock = "S"
        self.run(4, 60)
        self.framing.start_ms -= 100_000
        self.run(3, 60)
        archive_frames(self.site.data, self.framing.made, estimate_ms=1_795_250_000_000)
        self.site.close()

    def run(self, intervals, scans):
        for _ in range(intervals):
            self.framing.scans(scans)
            self.site.submit(self.framing.node, self.framing.usage())

    def reconcile(self, store, limit=1000, **period):
        bundle = self.folder / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        done = export(self.site.keys, self.site.data, [], bundle, now_ms=0, frames=Frames())
        heads = [(key, boot, last, head) for key, boot, _, last, head in
                 read_ranges(bundle, done.size)]  # fmt: skip
        work = Reconciliation(bundle, heads, FrameReader().read)
        first, last = work.span()
        begin, end = period.get("from_ms", first), period.get("to_ms", last + 1)
        try:
            return work.run(store, begin, end, limit, from_start="from_ms" not in period)
        finally:
            store.close()

    def fill(self, make):
        with closing(open_archive(self.site.data)) as archive:
            projection = make(archive)
            while projection.step():
                pass
            projection.stop()

    def at(self, boot, seq):
        """(time in ms, identity) of a frame of boot 2."""
        time_ms = self.framing.start_ms + 100_000 + (seq + 1) * 1000
        return time_ms, ("n01", self.framing.node.keyid[:16], boot, seq)


@pytest.fixture
def made(tmp_path):
    return Plant(tmp_path)


def seen(outcome):
    return sorted((one.kind, one.time_ms, one.point, one.stored) for one in outcome.differences)


def told(outcome):
    return {(one.kind, one.point): one for one in outcome.differences}


def fill_influx(made, influx):
    formatter = LineFormatter(plant())
    made.fill(
        lambda archive: InfluxProjection(
            archive, formatter, lambda: target(influx), archive.quarantine
        )
    )


def check_influx(made, server, influx):
    def again():
        return made.reconcile(StoredInflux(InfluxReader(influx, "ndpr")))

    fill_influx(made, influx)
    clean = again()
    assert seen(clean) == []
    assert (clean.frames, clean.samples, clean.unattested_frames) == (480, 1440, 0)
    assert clean.exit_status() == 0

    edited_ms, frame = made.at(2, 10)
    deleted_ms, _ = made.at(2, 30)
    added_ms = made.at(2, 50)[0] + 500
    stepped_ms = made.framing.start_ms + 300_000
    writer = target(influx)
    writer.write(f"{TAGS} ph=2.5 {edited_ms}\n{TAGS} ph=7 {added_ms}".encode())
    writer.write(f"{TAGS},step=1 flow_aq=0.5 {stepped_ms}".encode())
    writer.write(f"{TAGS.replace('n01', 'n09')} ph=1.5 1000".encode())
    writer.close()
    delete(server, deleted_ms)
    outcome = again()
    assert outcome.totals == {"edited": 2, "missing": 3, "added": 2}
    assert seen(outcome) == [
        ("added", 1000, "e01/ph", 1.5),
        ("added", added_ms, "e01/ph", 7),
        ("edited", edited_ms, "e01/ph", 2.5),
        ("edited", stepped_ms, "e01/flow_aq", 0.5),
        ("missing", deleted_ms, "e01/flow_aq", None),
        ("missing", deleted_ms, "e01/level", None),
        ("missing", deleted_ms, "e01/ph", None),
    ]
    one = told(outcome)["edited", "e01/ph"]
    assert (one.expected, one.frame, one.attested) == (1.71, frame, True)
    assert told(outcome)["missing", "e01/level"].expected == "F:open"
    assert outcome.exit_status() == 4


def delete(server, time_ms):
    """Delete what one stage has at one instant, by the server's own means."""
    if server.VERSION == "1.8":
        query = f'DELETE FROM "stage" WHERE "stage" = \'e01\' AND time = {time_ms}ms'  # noqa: S608
        server.request("POST", f"/query?db={server.bucket}&q={query.replace(' ', '%20')}", b"")
        return

    def at(ms):
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")

    body = {"start": at(time_ms), "stop": at(time_ms), "predicate": 'stage="e01"'}
    server.request(
        "POST",
        f"/api/v2/delete?org={server.org}&bucket={server.bucket}",
        json.dumps(body).encode(),
    )


@pytest.mark.influx
def test_rows_edited_deleted_and_added_in_influxdb_2_are_named(made, influx27):
    influx = Influx(
        influx27.url, "2", influx27.org, influx27.bucket, influx27.token, None, None, None
    )
    check_influx(made, influx27, influx)


@pytest.mark.influx
def test_rows_edited_deleted_and_added_in_influxdb_1_are_named(made, influx18):
    influx = Influx(influx18.url, "1", None, None, None, influx18.bucket, None, None)
    check_influx(made, influx18, influx)


def fill_embedded(data):
    series = EmbeddedSeries(data / "series.sqlite", 1 << 30)
    with closing(open_archive(data)) as archive:
        projection = SeriesProjection(archive, series)
        while projection.step():
            pass
    series.close()


def change_chunk(data, point, change):
    """Rewrite the longest chunk of a point, with its summary."""
    with closing(sqlite3.connect(data / "series.sqlite")) as db, db:
        place = "(SELECT id FROM point WHERE name = ?) ORDER BY count DESC LIMIT 1"
        (blob, start, position, part, point_id) = db.execute(
            f"SELECT data, start_ms, position, part, point FROM chunk WHERE point = {place}",  # noqa: S608
            (point,),
        ).fetchone()
        columns = change(decode(blob))
        good = columns.values[columns.values == columns.values]
        db.execute(
            "UPDATE chunk SET data = ?, count = ?, good = ?, low = ?, high = ?, total = ?, "
            "end_ms = ? WHERE point = ? AND start_ms = ? AND position = ? AND part = ?",
            (
                encode(columns), len(columns), len(good), good.min(), good.max(), good.sum(),
                int(columns.times[-1]), point_id, start, position, part,
            ),
        )  # fmt: skip


def test_samples_of_the_embedded_store_are_named(made):
    data = made.site.data
    fill_embedded(data)
    store = StoredEmbedded(data / "series.sqlite")
    assert store.position() == 480
    clean = made.reconcile(store)
    assert (clean.totals, clean.frames, clean.samples) == ({}, 480, 1440)

    def edit(columns):
        columns.values[20] = 9.75
        return type(columns)(
            columns.times[:-1], columns.values[:-1], None,
            None if columns.steps is None else columns.steps[:-1],
        )  # fmt: skip

    change_chunk(data, "e01/ph", edit)
    outcome = made.reconcile(StoredEmbedded(data / "series.sqlite"))
    assert outcome.totals == {"edited": 1, "missing": 1}
    assert told(outcome)["edited", "e01/ph"].stored == 9.75

    with closing(sqlite3.connect(data / "series.sqlite")) as db, db:
        db.execute("UPDATE chunk SET total = total + 1")
    outcome = made.reconcile(StoredEmbedded(data / "series.sqlite"), limit=1)
    assert outcome.totals["broken"] >= 2
    assert len(outcome.differences) == 1
    assert outcome.exit_status() == 4


def test_a_changed_frame_is_not_attested(made):
    data = made.site.data
    fill_embedded(data)
    bundle = made.folder / "short"
    export(made.site.keys, data, [], bundle, now_ms=0, frames=Frames())
    work = Reconciliation(bundle, [], FrameReader().read)
    store = StoredEmbedded(data / "series.sqlite")
    first, last = work.span()
    outcome = work.run(store, first, last + 1, 10)
    store.close()
    assert outcome.unattested_frames == outcome.frames == 480
    assert outcome.totals == {}
    assert outcome.exit_status() == 3


def test_a_bundle_that_is_none_is_an_error_with_words(made):
    bundle = made.folder / "bad"
    done = export(made.site.keys, made.site.data, [], bundle, now_ms=0, frames=Frames())
    (path, *_) = sorted((bundle / "frames").rglob("*.gz"))
    good = path.read_bytes()
    (line, *_) = read_lines(good)
    path.write_bytes(pack_lines([line.data.replace(b'"n":"up"', b'"n":"UP"') + b"\t17\n"]))
    with pytest.raises(RaffinateError, match="verify the bundle"):
        Reconciliation(bundle, [], FrameReader().read)
    path.write_bytes(good[:-5])
    with pytest.raises(RaffinateError, match="cut short; verify the bundle"):
        Reconciliation(bundle, [], FrameReader().read)
    (entries,) = (bundle / "log" / "tile" / "entries").rglob("*.p/*")
    entries.write_bytes(b"\x00\x02{}" * done.size)
    with pytest.raises(RaffinateError, match="cannot be read"):
        list(read_ranges(bundle, done.size))


def test_the_command_says_what_differs_in_words_and_json(tmp_path):
    folder = tmp_path / "plant"
    run = CliRunner().invoke
    assert run(main, ["init", str(folder)]).exit_code == 0
    plant_file = str(folder / "plant.toml")
    started = run(
        main, ["keys", "init", "--plant", plant_file, "--origin", "demo.example/raffinate/ndpr"]
    )
    assert started.exit_code == 0, started.output
    data = folder / "data"
    data.mkdir(exist_ok=True)
    framing = FramingNode(SimulatedNode())
    archive_frames(data, framing.scans(100))
    fill_embedded(data)
    command = ["audit", "reconcile", "--plant", plant_file]
    outcome = run(main, command)
    assert outcome.exit_code == 3, outcome.output
    assert (
        "300 samples of 100 frames\nof them without a statement: 100, and 0 newest"
        in outcome.output
    )
    assert "0 edited, 0 missing, 0 added" in outcome.output

    def edit(columns):
        columns.values[5] = 9.75
        return columns

    change_chunk(data, "e01/ph", edit)
    outcome = run(main, command)
    assert outcome.exit_code == 4
    assert "stored 9.75  frame 1.705 (n01 key" in outcome.output
    parsed = json.loads(run(main, [*command, "--json"]).output)
    assert parsed["totals"] == {"edited": 1, "missing": 0, "added": 0, "broken": 0}
    assert parsed["differences"][0]["frame"]["seq"] == 5
    assert not list(data.glob("reconcile-*"))
    assert run(main, [*command, "--influx"]).exit_code == 2
    assert run(main, [*command, "--from", "yesterday"]).exit_code == 2
    assert run(main, [*command, "--from", "2030-01-01T00:00:00Z"]).exit_code == 1
