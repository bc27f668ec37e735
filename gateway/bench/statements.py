"""Benchmark (d): statements from a filled session to durable in the log.

`python statements.py [--count N] [--broker mosquitto|nats-server] [--json]`. The gateway's own
MQTT session, worker, archive and evidence service take `count` signed statements of four nodes
that a real broker holds for the absent session; beside it the raw rates of P-256 verification and
of fsync on this machine. Goal: at least 0.4 of one core's raw verification rate.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from raffinate.archive import FrameArchive
from raffinate.config import Broker
from raffinate.evidence import dsse
from raffinate.ingest.inbox import Inbox
from raffinate.ingest.mqtt import LEAVES, MqttSession
from raffinate.ingest.presence import Presence
from raffinate.ingest.validate import FrameReader
from raffinate.ingest.worker import IngestWorker
from raffinate_rig.brokers import BROKERS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from evidence_site import enrolled_site
from node_simulator import SITE

GOAL = 0.4
NODES = 4
PATIENCE_S = 300
_RAW_COUNT = 5000
_FSYNC_COUNT = 500


def main() -> int:
    """Run it; exit status 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="mosquitto")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), arguments.broker, arguments.count)
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:<34} {value}\n")
    return 0 if found["of_one_cores_raw_rate"] >= GOAL else 1


def run(folder: Path, kind: str, count: int) -> dict[str, float]:
    """The figures, by name; rates a second, times in microseconds."""
    site, nodes = enrolled_site(folder / "site", NODES)
    sent = []
    for node in nodes:
        made = [node.boot()]
        made += [node.usage(1000 * (turn % 2)) for turn in range(count // NODES - 1)]
        sent += [(f"raffinate/1/{SITE}/{node.node}/statement", data) for data in made]
    sent = [
        sent[at + turn * (count // NODES)] for at in range(count // NODES) for turn in range(NODES)
    ]
    raw = raw_rate(nodes[0], sent[NODES][1])
    with BROKERS[kind](folder / "broker") as broker:
        settings = Broker("127.0.0.1", broker.port, None, None, 30)
        fill(settings, sent)
        wall_s, cpu_s, receipts = consume(site, folder, settings, len(sent))
    again = raw_rate(nodes[0], sent[NODES][1])
    rate, raw = len(sent) / wall_s, (raw + again) / 2
    return {
        "statements": len(sent),
        "bytes_each": len(sent[NODES][1]),
        "statements_per_s": round(rate),
        "wall_us_each": round(1e6 * wall_s / len(sent), 1),
        "cpu_us_each": round(1e6 * cpu_s / len(sent), 1),
        "receipts": receipts,
        "raw_p256_per_s_one_core": round(raw),
        "raw_fsync_per_s": round(fsync_rate(folder)),
        "of_one_cores_raw_rate": round(rate / raw, 3),
        "goal": GOAL,
    }


def raw_rate(node: object, envelope: bytes) -> float:
    """P-256 verifications a second of CPU time over a statement's own bytes."""
    parts = dsse.decode_envelope(envelope)
    key = dsse.public_key(node.pair.spki)  # type: ignore[attr-defined]
    start = time.process_time()
    for _ in range(_RAW_COUNT):
        dsse.verify(parts, key)
    return _RAW_COUNT / (time.process_time() - start)


def fsync_rate(folder: Path) -> float:
    """Appends of 2 KB with fsync a second."""
    with (folder / "fsync").open("wb", buffering=0) as out:
        start = time.perf_counter()
        for _ in range(_FSYNC_COUNT):
            out.write(bytes(2048))
            os.fsync(out.fileno())
        return _FSYNC_COUNT / (time.perf_counter() - start)


def fill(settings: Broker, messages: list[tuple[str, bytes]]) -> None:
    """Make the gateway's session, leave it, and fill it with statements."""
    session = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=f"raffinate-gateway-{SITE}", clean_session=False
    )
    ready = threading.Event()
    session.on_subscribe = lambda *_: ready.set()
    session.connect(settings.host, settings.port)
    session.loop_start()
    session.subscribe([(f"raffinate/1/{SITE}/+/{leaf}", 1) for leaf in LEAVES])
    if not ready.wait(10):
        raise RuntimeError("the broker did not take the subscription")
    session.disconnect()
    session.loop_stop()
    sender = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-sender")
    sender.max_inflight_messages_set(1000)
    sender.connect(settings.host, settings.port)
    sender.loop_start()
    waiting = [sender.publish(topic, data, qos=1) for topic, data in messages]
    for info in waiting:
        info.wait_for_publish(PATIENCE_S)
    sender.disconnect()
    sender.loop_stop()


def consume(site: object, folder: Path, settings: Broker, count: int) -> tuple[float, float, int]:
    """(wall seconds, CPU seconds of this process, receipts) until `count` more are in the log."""
    service, plant = site.service, site.plant  # type: ignore[attr-defined]
    archive = FrameArchive(
        folder / "archive.sqlite",
        FrameReader().read,
        bytes_max=1 << 30,
        quarantine_bytes_max=1 << 20,
    )
    inbox = Inbox()
    session = MqttSession(settings, SITE, inbox, Presence("bench", "bench"))
    receipts = []
    publish = session.publish

    def count_receipts(messages: object) -> None:
        found = list(messages)  # type: ignore[call-overload]
        receipts.append(sum(message.topic.endswith("/receipt") for message in found))
        publish(found)

    session.publish = count_receipts  # type: ignore[method-assign]
    clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
    worker = IngestWorker(plant, inbox, session, archive, service, lambda _: None, clock)
    start_size = service.snapshot()["log"]["size"]
    session.start()
    while not len(inbox):
        time.sleep(0.001)
    start, cpu = time.perf_counter(), time.process_time()
    while service.log_size() < start_size + count:
        worker.step(0.25)
        if time.perf_counter() - start > PATIENCE_S:
            raise RuntimeError(f"only {service.log_size() - start_size} of {count} are in the log")
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    session.stop()
    service.close()
    return wall_s, cpu_s, sum(receipts)


if __name__ == "__main__":
    sys.exit(main())
