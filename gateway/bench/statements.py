"""Benchmark (d): statements from a filled session to durable in the log.

`python statements.py [--count N] [--broker mosquitto|nats-server] [--json]`. The gateway's own
MQTT session, worker, archive and evidence service take `count` signed statements of four nodes
that a real broker holds for the absent session; beside it the raw rates of P-256 verification and
of fsync on this machine, and the CPU that gateway, its verifiers and the broker used. Goal: at
least 0.4 of one core's raw verification rate.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rates import cpu_s, fsync_rate

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evidence_site import Site
    from raffinate.model import Outgoing

GOAL = 0.4
NODES = 4
PATIENCE_S = 300
_RAW_COUNT = 5000


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
        wall_s, used, receipts = consume(site, folder, settings, len(sent), broker.pid)
    again = raw_rate(nodes[0], sent[NODES][1])
    rate, raw = len(sent) / wall_s, (raw + again) / 2
    return {
        "statements": len(sent),
        "bytes_each": len(sent[NODES][1]),
        "statements_per_s": round(rate),
        "wall_us_each": round(1e6 * wall_s / len(sent), 1),
        **{f"cpu_us_each_{name}": round(1e6 * cpu / len(sent), 1) for name, cpu in used.items()},
        "receipts": receipts,
        "raw_p256_per_s_one_core": round(raw),
        "raw_fsync_per_s": round(fsync_rate(folder)),
        "of_one_cores_raw_rate": round(rate / raw, 3),
        "of_raw_rate_per_cpu_s": round(len(sent) / sum(used.values()) / raw, 3),
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


class Gateway:
    """The gateway's own MQTT session, inbox, worker, archive and evidence service in one."""

    def __init__(self, site: Site, folder: Path, settings: Broker) -> None:
        self.service = site.service
        archive = FrameArchive(
            folder / "archive.sqlite",
            FrameReader().read,
            bytes_max=1 << 30,
            quarantine_bytes_max=1 << 20,
        )
        self.inbox = Inbox()
        self.session = MqttSession(settings, SITE, self.inbox, Presence("bench", "bench"))
        self.receipts = 0
        self._publish = self.session.publish
        self.session.publish = self._count_receipts  # type: ignore[method-assign]
        self.worker = IngestWorker(
            site.plant,
            self.inbox,
            self.session,
            archive,
            self.service,
            lambda _: None,
            lambda: time.time_ns() // 1_000_000,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Session and worker, each in its thread; the service is closed at the end."""
        thread = threading.Thread(target=self.worker.run)
        self.session.start()
        thread.start()
        try:
            yield
        finally:
            self.worker.stop()
            thread.join()
            self.session.stop()
            self.service.close()

    def _count_receipts(self, messages: Iterable[Outgoing]) -> None:
        found = list(messages)
        self.receipts += sum(message.topic.endswith("/receipt") for message in found)
        self._publish(found)


def consume(
    site: Site, folder: Path, settings: Broker, count: int, broker_pid: int
) -> tuple[float, dict[str, float], int]:
    """(wall seconds, CPU seconds by process, receipts) until `count` more are in the log."""
    gateway = Gateway(site, folder, settings)
    service, worker = gateway.service, gateway.worker
    start_size = service.log_size()
    gateway.session.start()
    while not len(gateway.inbox):
        time.sleep(0.001)
    start, cpu, broker = time.perf_counter(), time.process_time(), cpu_s(broker_pid)
    while service.log_size() < start_size + count:
        worker.step(0.25)
        if time.perf_counter() - start > PATIENCE_S:
            raise RuntimeError(f"only {service.log_size() - start_size} of {count} are in the log")
    wall_s = time.perf_counter() - start
    used = {
        "gateway": time.process_time() - cpu,
        "verifiers": cpu_s(*service._verifier.pids),  # noqa: SLF001
        "broker": cpu_s(broker_pid) - broker,
    }
    gateway.session.stop()
    service.close()
    return wall_s, used, gateway.receipts


if __name__ == "__main__":
    sys.exit(main())
