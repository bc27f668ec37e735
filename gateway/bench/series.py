"""Benchmark (c): the embedded series store. `python series.py [--seconds N]`.

The twin's own readings, as the sensors resolve them, for 16 stages of 6 points at 1 Hz: samples/s
and CPU in, bytes a sample on disk, time of an hour of 12 series in 500 buckets, exactness.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from raffinate.model import Frame, Scan, StoredFrame
from raffinate.series.embedded import EmbeddedSeries
from raffinate_rig.twin import REFERENCE, Plant

START_MS = 1_795_255_200_000
STAGES_A_NODE = 8


def readings(seconds: int) -> list[list[tuple[str, float | None, str]]]:
    """One list of (point, value, quality) a second: 96 values each."""
    plant = Plant(REFERENCE, seed=11)
    rows = []
    for _ in range(seconds):
        plant.step(1.0)
        row: list[tuple[str, float | None, str]] = []
        for stage in plant.stage_ids():
            seen = plant.reading(stage)
            row += [
                (f"{stage}/ph", round(seen.ph, 3), "good"),
                (f"{stage}/cond", round(seen.cond_ms_cm_t / 10, 3), "good"),
                (f"{stage}/temp", round(seen.temp_c, 2), "good"),
                (f"{stage}/flow_aq", float(f"{seen.flow_aq_l_h / 3600:.4g}"), "good"),
                (f"{stage}/flow_org", float(f"{seen.flow_org_l_h / 3600:.4g}"), "good"),
                (f"{stage}/level", round(seen.level_frac, 4), "good"),
            ]
        rows.append(row)
    return rows


def frames(rows: list[list[tuple[str, float | None, str]]], hours: int) -> list[StoredFrame]:
    """Frames of 48 points from the rows, played `hours` times over with times going on."""
    result = []
    position = 0
    for turn in range(hours):
        for second, row in enumerate(rows):
            time_ms = START_MS + (turn * len(rows) + second) * 1000 + second * 7 % 5
            for half in (row[:48], row[48:]):
                position += 1
                scan = Scan(time_ms, position * 1000, 0, tuple(half))
                frame = Frame("ndpr", "n01", "0" * 16, 1, position, b"", "S", (scan,), b"")
                result.append(StoredFrame(position, frame, time_ms, None, ()))
    return result


def main() -> int:
    """Print one JSON object of figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rows = readings(options.seconds)
    stored = frames(rows, options.turns)
    samples = sum(len(f.frame.scans[0].values) for f in stored)
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedSeries(Path(folder) / "series.sqlite", 1 << 34)
        wall, cpu = time.perf_counter(), time.process_time()
        for at in range(0, len(stored), 500):
            store.write(stored[at : at + 500])
        store.flush()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = store.bytes_used()
        points = [f"e0{1 + i}/ph" for i in range(6)] + [f"s0{1 + i}/cond" for i in range(6)]
        span = (START_MS + 1000, START_MS + 1000 + 3600_000)
        asked = []
        for _ in range(5):
            begin = time.perf_counter()
            for point in points:
                store.history(point, *span, 500)
            asked.append(time.perf_counter() - begin)
        exact = all(
            [s.value for s in store.samples(p, 0, 2**42)]
            == [v for f in stored for n, v, _ in f.frame.scans[0].values if n == p]
            for p in points[::4]
        )
        store.close()
    figures = {
        "samples": samples,
        "samples_per_s": round(samples / wall),
        "cpu_us_per_sample": round(cpu / samples * 1e6, 3),
        "bytes_per_sample": round(size / samples, 2),
        "hour_of_12_series_ms": round(sorted(asked)[2] * 1000, 1),
        "exact": exact,
    }
    sys.stdout.write(json.dumps({"series": figures}) + "\n")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
