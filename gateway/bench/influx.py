"""Bench (b): from a filled persistent MQTT session to rows in InfluxDB 2.7, beside Telegraf.

`python gateway/bench/influx.py [--frames N] [--points N] [--json]`

Both take the same SenML frames with QoS 1 from the same mosquitto, one after the other, into the
same InfluxDB. CPU counts each side's own process; broker and server are counted apart. The gateway
also checks every frame, chains it and makes it durable in its archive before it acknowledges.
Telegraf 1.37 runs with its defaults, but for a metric buffer that holds what it has taken
unacknowledged (1,000 messages), which it would otherwise drop. Without the peers it says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import (
    EnrolledKeys,
    bench_plant,
    cpu_seconds,
    fill,
    now_ms,
    session_of,
    subscribe,
)

from raffinate.archive import FrameArchive
from raffinate.config import Broker, Influx
from raffinate.ingest.inbox import Inbox
from raffinate.ingest.validate import FrameReader
from raffinate.ingest.worker import IngestWorker
from raffinate.series.influx import target
from raffinate.series.line_protocol import LineFormatter
from raffinate.series.projector import InfluxProjection
from raffinate_rig.brokers import BROKERS
from raffinate_rig.influx_servers import Influx27
from raffinate_rig.processes import MissingToolError, find_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.model import Plant

GOAL_CPU = 0.6
GOAL_SERVER = 0.5
PATIENCE_S = 900.0
GIB = 1 << 30
QUIET_TICKS = 3


def main() -> int:
    """Run both sides; exit status 1 when a goal is missed, 3 when a peer is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--points", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        for tool in ("influxd-2.7", "telegraf", "mosquitto"):
            find_tool(tool)
    except MissingToolError as error:
        sys.stdout.write(f"(b) not run: {error}\n")
        return 3
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.frames, options.points)
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(
            f"(b) {options.points} points a frame, {options.frames} frames to InfluxDB 2.7:\n"
            f"    raffinate {found['raffinate_cpu_us']:.2f} CPU us a sample, "
            f"{found['raffinate_samples_s']:,.0f} samples/s, "
            f"server {found['raffinate_server_us']:.2f}\n"
            f"    telegraf  {found['telegraf_cpu_us']:.2f} CPU us a sample, "
            f"{found['telegraf_samples_s']:,.0f} samples/s, "
            f"server {found['telegraf_server_us']:.2f}\n"
            f"    ratios: CPU {found['cpu_ratio']:.2f} (goal {GOAL_CPU}), "
            f"server {found['server_ratio']:.2f} (goal {GOAL_SERVER})\n"
        )
    good = found["cpu_ratio"] <= GOAL_CPU and found["server_ratio"] <= GOAL_SERVER
    return 0 if good else 1


def measure(folder: Path, frames: int, points: int) -> dict[str, float]:
    """Figures of both sides by name, CPU microseconds a sample."""
    plant = bench_plant(folder, points)
    samples = frames * points
    with Influx27(folder / "influx") as server:
        with BROKERS["mosquitto"](folder / "broker-1") as broker:
            settings = Broker(broker.host, broker.port, None, None, 30)
            subscribe(settings, plant)
            fill(broker.port, plant, frames)
            ours = _raffinate(folder, server, settings, plant, frames)
        with BROKERS["mosquitto"](folder / "broker-2") as broker:
            theirs = _telegraf(folder, server, broker.port, plant, frames, points)
    found = {
        f"{name}_{figure}": value
        for name, side in (("raffinate", ours), ("telegraf", theirs))
        for figure, value in (
            ("cpu_us", side["cpu_s"] * 1e6 / samples),
            ("server_us", side["server_s"] * 1e6 / samples),
            ("samples_s", samples / side["wall_s"]),
        )
    }
    found["cpu_ratio"] = found["raffinate_cpu_us"] / found["telegraf_cpu_us"]
    found["server_ratio"] = found["raffinate_server_us"] / found["telegraf_server_us"]
    return found


def _raffinate(
    folder: Path, server: Influx27, settings: Broker, plant: Plant, frames: int
) -> dict[str, float]:
    influx = Influx(server.url, "2", server.org, server.bucket, server.token, None, None, None)
    archive = FrameArchive(
        folder / "archive.sqlite",
        FrameReader().read,
        bytes_max=100 * GIB,
        quarantine_bytes_max=GIB,
    )
    projection = InfluxProjection(
        archive, LineFormatter(plant), lambda: target(influx), archive.quarantine
    )
    inbox = Inbox()
    session = session_of(settings, plant, inbox)
    worker = IngestWorker(
        plant, inbox, session, archive, EnrolledKeys(), lambda _: projection.wake(), now_ms
    )
    thread = threading.Thread(target=worker.run)
    server_s, cpu_s, start_s = _process_cpu(server.pid), cpu_seconds(), time.monotonic()
    thread.start()
    projection.start()
    session.start()
    _wait(lambda: projection.state().position >= frames, "the gateway to write all rows")
    wall_s, used_s = time.monotonic() - start_s, cpu_seconds() - cpu_s
    served_s = _settled(server.pid) - server_s
    worker.stop()
    thread.join()
    session.stop()
    projection.stop()
    archive.close()
    rows = _count(server, 'SELECT count("ph") FROM "stage"')
    stages = sum(len(node.stages) for node in plant.nodes.values())
    expected = frames * stages // len(plant.nodes)
    if rows != expected:
        raise AssertionError(f"{rows} rows of {expected} are in the database")
    return {"cpu_s": used_s, "server_s": served_s, "wall_s": wall_s}


def _telegraf(
    folder: Path, server: Influx27, port: int, plant: Plant, frames: int, points: int
) -> dict[str, float]:
    config = folder / "telegraf.conf"
    config.write_text(_telegraf_config(server, port, plant.site), "utf-8")
    log = folder / "telegraf.log"
    process = _start_telegraf(config, log)
    _wait(lambda: "Connected" in log.read_text(errors="replace"), "telegraf to subscribe")
    time.sleep(1.0)
    process.terminate()
    process.wait()
    fill(port, plant, frames)
    server_s, start_s = _process_cpu(server.pid), time.monotonic()
    process = _start_telegraf(config, log)
    samples = frames * points
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            wall_s, used_s = _until_quiet(process.pid, server.pid, start_s)
            served_s = _process_cpu(server.pid) - server_s
            rows = _count(server, 'SELECT count("v") FROM "mqtt_consumer"')
            if rows >= samples:
                break
            if time.monotonic() > end:
                raise TimeoutError(f"telegraf wrote {rows} of {samples} samples")
    finally:
        process.terminate()
        process.wait()
    return {"cpu_s": used_s, "server_s": served_s, "wall_s": wall_s}


def _telegraf_config(server: Influx27, port: int, site: str) -> str:
    return f"""
[agent]
  interval = "10s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 200000
  omit_hostname = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["raffinate/1/{site}/+/frame"]
  qos = 1
  client_id = "telegraf-bench"
  persistent_session = true
  data_format = "json_v2"
  [[inputs.mqtt_consumer.json_v2]]
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "#(n%\\"*/*\\")#"
      tags = ["n", "u"]
[[outputs.influxdb_v2]]
  urls = ["{server.url}"]
  token = "{server.token}"
  organization = "{server.org}"
  bucket = "{server.bucket}"
"""


def _start_telegraf(config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as sink:
        return subprocess.Popen(
            [find_tool("telegraf"), "--config", config],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )


def _until_quiet(pid: int, server: int | None, start_s: float) -> tuple[float, float]:
    """Wait until neither process works any more: (wall to the last work, CPU of pid), seconds."""
    quiet = 0
    last = (-1.0, -1.0)
    worked_s = start_s
    while quiet < QUIET_TICKS:
        time.sleep(1.0)
        now = (_process_cpu(pid), _process_cpu(server))
        if sum(now) - sum(last) > 0.1:  # noqa: PLR2004 - a tenth of a core is no rest
            quiet = 0
            worked_s = time.monotonic()
        else:
            quiet += 1
        last = now
    return worked_s - start_s, last[0]


def _settled(pid: int | None) -> float:
    """CPU of the server when it has gone quiet, so that late compactions count too."""
    last = -1.0
    while (now := _process_cpu(pid)) - last > 0.1:  # noqa: PLR2004 - as above
        last = now
        time.sleep(1.0)
    return now


def _process_cpu(pid: int | None) -> float:
    """User and system seconds of a process, from /proc."""
    if pid is None:
        raise AssertionError("the server is not running")
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _count(server: Influx27, query: str) -> int:
    found: list[dict[str, Any]] = server.query(query)
    return int(found[0]["values"][0][1]) if found else 0


def _wait(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE_S:g} s: {what}")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
