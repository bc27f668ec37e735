"""The InfluxDB projection against real servers: nothing lost, nothing twice, problems named."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from raffinate.archive import FrameArchive
from raffinate.config import Influx
from raffinate.ingest.validate import FrameReader
from raffinate.series.embedded import EmbeddedSeries
from raffinate.series.influx import InfluxReader, target
from raffinate.series.line_protocol import LineFormatter
from raffinate.series.projector import InfluxProjection, SeriesProjection
from raffinate_wire.frame import format_frame, frame_hash
from series_plant import plant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raffinate_rig.influx_servers import InfluxServer

pytestmark = pytest.mark.influx
START = 1_795_255_200_000
KEY = "3f9ac0d1e2b34455"
WAIT_S = 60.0


class Writer:
    """Frames of one boot, one scan a second, put into the archive."""

    def __init__(self, archive: FrameArchive) -> None:
        self.archive = archive
        self.seq = 0
        self._prev = bytes(32)
        self._reader = FrameReader()

    def write(self, count: int) -> None:
        batch = []
        for _ in range(count):
            self.seq += 1
            values = [
                ("e01/ph", "pH", 1851 + self.seq % 97, 3),
                ("e01/cond", "S/m", 9620 + self.seq % 31, 3),
                ("e02/ph", None, "F:open", 0)
                if self.seq % 50 == 0
                else ("e02/ph", "pH", 1700 + self.seq % 13, 3),
            ]
            scan = (START + self.seq * 1000, self.seq * 1000, values)
            data = format_frame("ndpr", "n01", KEY, 1, self.seq - 1, self._prev, "S", [scan])
            self._prev = frame_hash(data)
            batch.append((self._reader.read(data), START, None, ()))
        self.archive.append(batch)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[FrameArchive]:
    store = FrameArchive(
        tmp_path / "archive.sqlite",
        FrameReader().read,
        bytes_max=1 << 30,
        quarantine_bytes_max=1 << 20,
    )
    yield store
    store.close()


def _influx(server: InfluxServer) -> Influx:
    return Influx(server.url, "2", server.org, server.bucket, server.token, None, None, None)


def _projection(archive: FrameArchive, influx: Influx) -> InfluxProjection:
    formatter = LineFormatter(plant())
    return InfluxProjection(archive, formatter, lambda: target(influx), archive.quarantine)


def _wait(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, f"not within {WAIT_S:g} s: {what}"
        time.sleep(0.05)


def _times(server: InfluxServer, stage: str, field: str) -> list[int]:
    query = f'SELECT "{field}" FROM "stage" WHERE "stage" = \'{stage}\''  # noqa: S608
    return [row[0] for series in server.query(query) for row in series["values"]]


# http.client leaves the socket of a server killed in mid-answer to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_every_sample_is_there_once_after_a_kill(
    influx_server: InfluxServer, archive: FrameArchive, tmp_path: Path
) -> None:
    writer = Writer(archive)
    projection = _projection(archive, _influx(influx_server))
    projection.start()
    series = EmbeddedSeries(tmp_path / "series.sqlite", 1 << 30)
    own = SeriesProjection(archive, series)
    writer.write(1500)
    projection.wake()
    _wait(lambda: projection.state().position > 0, "the first batch")
    influx_server.kill()
    writer.write(3600)
    projection.wake()
    _wait(lambda: projection.state().state == "waiting", "the outage to be shown")
    assert "samples wait in the archive" in projection.state().detail
    influx_server.start()
    _wait(lambda: projection.state().lag == 0, "the catching up")
    projection.stop()
    expected = [START + seq * 1000 for seq in range(1, 5101)]
    good = [t for t in expected if (t - START) // 1000 % 50]
    assert _times(influx_server, "e01", "ph") == expected
    assert _times(influx_server, "e02", "ph") == good
    assert len(_times(influx_server, "e02", "ph_q")) == len(expected) - len(good)

    while own.step():
        pass
    reader = InfluxReader(_influx(influx_server), "ndpr")
    for point in ("e01/ph", "e01/cond", "e02/ph"):
        for span, buckets in (((START, START + 5_200_000), 500), ((START + 333, START + 999), 7)):
            mine = series.history(point, *span, buckets)
            theirs = reader.history(point, *span, buckets)
            assert [(b.start_ms, b.count, b.min, b.max) for b in mine] == [
                (b.start_ms, b.count, b.min, b.max) for b in theirs
            ]
            for left, right in zip(mine, theirs, strict=True):
                assert left.mean == (
                    None if right.mean is None else pytest.approx(right.mean, abs=1e-9)
                )
    reader.close()
    series.close()
    gc.collect()


def test_the_write_path_of_1x(influx18: InfluxServer, archive: FrameArchive) -> None:
    one = Influx(influx18.url, "1", None, None, None, influx18.bucket, None, None)
    Writer(archive).write(700)
    projection = _projection(archive, one)
    while projection.step():
        pass
    projection.stop()
    assert len(_times(influx18, "e01", "ph")) == 700
    reader = InfluxReader(one, "ndpr")
    assert sum(b.count for b in reader.history("e01/ph", START, START + 800_000, 10)) == 700
    reader.close()


@pytest.mark.parametrize(
    ("change", "words", "remedy"),
    [
        ({"token": "wrong"}, "refuses the token", "that may write to bucket"),
        ({"bucket": "nowhere"}, "has no bucket 'nowhere'", "create the bucket"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy_and_loses_nothing(
    influx27: InfluxServer,
    archive: FrameArchive,
    change: dict[str, str],
    words: str,
    remedy: str,
) -> None:
    Writer(archive).write(100)
    projection = _projection(archive, replace(_influx(influx27), **change))
    projection.start()
    _wait(lambda: projection.state().state == "waiting", "the problem to be shown")
    state = projection.state()
    projection.stop()
    assert words in state.detail
    assert remedy in state.detail
    assert state.lag == 100
    mended = _projection(archive, _influx(influx27))
    while mended.step():
        pass
    mended.stop()
    assert len(_times(influx27, "e01", "ph")) == 100


def test_a_type_conflict_quarantines_its_lines_and_lets_the_others_pass(
    influx_server: InfluxServer, archive: FrameArchive
) -> None:
    made_wrong = target(_influx(influx_server))
    made_wrong.write(
        f'stage,node=n01,section=extraction,site=ndpr,stage=e02 ph="text" {START + 1000}'.encode()
    )
    made_wrong.close()
    Writer(archive).write(60)
    formatter = LineFormatter(plant())
    refused: list[tuple[str, str, bytes]] = []
    projection = InfluxProjection(
        archive,
        formatter,
        lambda: target(_influx(influx_server)),
        lambda source, reason, data: refused.append((source, reason, data)),
    )
    while projection.step():
        pass
    state = projection.state()
    projection.stop()
    assert state.state == "refusing"
    assert "field type conflict" in state.detail
    assert "new bucket" in state.detail
    assert state.lag == 0
    assert refused
    assert all(b"ph=" in data for _, _, data in refused)
    written = len(_times(influx_server, "e01", "cond"))
    assert written + sum(b"cond=" in data for _, _, data in refused) == 60


if "RAFFINATE_TEST_INFLUX_URL" in os.environ:  # absent, it is no test, and so none is skipped

    def test_a_server_of_your_own(archive: FrameArchive) -> None:
        """Set RAFFINATE_TEST_INFLUX_{URL,TOKEN,ORG,BUCKET}; the bucket gets a stage `e01`."""
        env = {name: os.environ.get(f"RAFFINATE_TEST_INFLUX_{name}", "") for name in
               ("URL", "TOKEN", "ORG", "BUCKET")}  # fmt: skip
        mine = Influx(env["URL"], "2", env["ORG"], env["BUCKET"], env["TOKEN"], None, None, None)
        Writer(archive).write(200)
        projection = _projection(archive, mine)
        while projection.step():
            pass
        projection.stop()
        reader = InfluxReader(mine, "ndpr")
        assert sum(b.count for b in reader.history("e01/ph", START, START + 800_000, 10)) == 200
        reader.close()
