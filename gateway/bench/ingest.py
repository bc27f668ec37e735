"""Bench (a): from a filled persistent MQTT session to the durable archive, with chain check.

`python gateway/bench/ingest.py [--broker mosquitto|nats-server] [--frames N] [--points N]`

Frames are made first and put into the broker's queue for the absent gateway. Then the gateway's
session, ingest worker and archive run in this process until all are archived, as `raffinate
gateway` runs them. The rate counts from the first message; what the broker takes to begin is told
apart. CPU is this process's own, all threads; broker and publisher are not counted.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from raffinate.archive import FrameArchive
from raffinate.config import Broker, load_config
from raffinate.ingest.inbox import Inbox
from raffinate.ingest.mqtt import MqttSession
from raffinate.ingest.presence import Presence
from raffinate.ingest.validate import FrameReader
from raffinate.ingest.worker import IngestWorker
from raffinate_rig.brokers import BROKERS
from raffinate_wire.frame import ZERO_PREV, format_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.model import Inbound, Outgoing, Plant, StatementResult

NODES = 8
START_MS = 1_795_255_200_000
POINTS_PER_STAGE = 6
GIB = 1 << 30
WINDOW = 400


class TimedInbox(Inbox):
    """Knows when its first message came."""

    def __init__(self) -> None:
        super().__init__()
        self.first_s = 0.0

    def put(self, message: Inbound) -> None:
        """Append."""
        self.first_s = self.first_s or time.monotonic()
        super().put(message)


class EnrolledKeys:
    """`ports.Evidence` where every key is enrolled; the bench has no statements."""

    def key_state(self, node: str, key: str) -> str:
        """Enrolled."""
        del node, key
        return "enrolled"

    def submit(self, batch: object) -> StatementResult:
        """None come."""
        raise AssertionError(batch)

    def on_status(self, node: str, payload: bytes, now_ms: int) -> list[Outgoing]:
        """None come."""
        raise AssertionError(node, payload, now_ms)

    def tick(self, now_ms: int) -> list[Outgoing]:
        """Nothing is due."""
        del now_ms
        return []

    def drain_enrolled(self) -> list[tuple[str, str]]:
        """No new keys."""
        return []

    def snapshot(self) -> dict[str, object]:
        """Nothing to show."""
        return {}


def main() -> None:
    """Run and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="mosquitto")
    parser.add_argument("--frames", type=int, default=30_000)
    parser.add_argument("--points", type=int, default=48)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.broker, options.frames, options.points)
    sys.stdout.write(
        f"(a) {options.broker}, {options.points} points a frame, {options.frames} frames: "
        f"{result['samples_s']:,.0f} samples/s, {result['cpu_us']:.2f} CPU us a sample "
        f"({result['frame_us']:.0f} a frame); archive {result['bytes']:.2f} bytes a sample; "
        f"the broker took {result['wait_s']:.1f} s to the session's first message\n"
    )


def measure(folder: Path, broker_name: str, frames: int, points: int) -> dict[str, float]:
    """Fill, then ingest; figures by name."""
    plant = bench_plant(folder, points)
    with BROKERS[broker_name](folder / "broker") as broker:
        settings = Broker(broker.host, broker.port, None, None, 30)
        subscribe(settings, plant)
        fill(broker.port, plant, frames)
        archive = FrameArchive(
            folder / "archive.sqlite",
            FrameReader().read,
            bytes_max=100 * GIB,
            quarantine_bytes_max=GIB,
        )
        inbox = TimedInbox()
        session = session_of(settings, plant, inbox)
        worker = IngestWorker(
            plant, inbox, session, archive, EnrolledKeys(), lambda _: None, now_ms
        )
        thread = threading.Thread(target=worker.run)
        cpu_s, start_s = cpu_seconds(), time.monotonic()
        thread.start()
        session.start()
        while archive.last_position() < frames:
            time.sleep(0.01)
            if time.monotonic() - start_s > 600:  # noqa: PLR2004 - a hang is no result
                raise TimeoutError(f"{archive.last_position()} of {frames} frames came")
        wall_s, used_s = time.monotonic() - inbox.first_s, cpu_seconds() - cpu_s
        worker.stop()
        thread.join()
        session.stop()
        assert not archive.findings(), archive.findings(5)  # noqa: S101 - the bench checks itself
        size = archive.bytes_used()
        archive.close()
    samples = frames * points
    return {
        "samples_s": samples / wall_s,
        "cpu_us": used_s * 1e6 / samples,
        "frame_us": used_s * 1e6 / frames,
        "bytes": size / samples,
        "wait_s": inbox.first_s - start_s,
    }


def bench_plant(folder: Path, points: int) -> Plant:
    """A plant of NODES nodes with `points` points each."""
    stages = [
        f'  {{ id = "e{number:03d}", node = "n{number % NODES:02d}" }},'
        for number in range(NODES * points // POINTS_PER_STAGE)
    ]
    names = ("ph", "cond", "temp", "flow-aq", "flow-org", "level")
    template = (Path(__file__).parents[1] / "raffinate/config/template/plant.toml").read_text()
    kit = template[template.index("[kits") : template.index("# Boards")]
    nodes = "\n".join(f"[nodes.n{number:02d}]\nscan_ms = 2000" for number in range(NODES))
    assert len(names) == POINTS_PER_STAGE  # noqa: S101
    file = folder / "plant.toml"
    file.write_text(
        'v = 1\n[site]\nid = "bench"\nname = "bench"\n'
        f"{kit}\n{nodes}\n"
        '[[sections]]\nid = "extraction"\nkind = "extraction"\nname = "E"\nkit = "mixer-settler"\n'
        "stages = [\n" + "\n".join(stages) + "\n]\n"
    )
    return load_config(file).plant


def frames_of(plant: Plant, count: int) -> Iterator[tuple[str, bytes]]:
    """(topic, frame) of all nodes in turn, values as a plant's sensors give them."""
    chance = random.Random(7)  # noqa: S311 - simulated noise
    prev = dict.fromkeys(plant.nodes, ZERO_PREV)
    centre = {"pH": (1.7, 3), "S/m": (9.6, 3), "Cel": (25.0, 2), "l/s": (0.0061, 6), "/": (0.5, 4)}
    for number in range(count):
        node = f"n{number % NODES:02d}"
        seq = number // NODES
        values = []
        for stage in plant.nodes[node].stages:
            for point in plant.stages[stage].points:
                value, decimals = centre[point.unit]
                mantissa = round(chance.gauss(value, value / 200) * 10**decimals)
                values.append((point.id, point.unit, mantissa, decimals))
        scan = (START_MS + 1000 * seq, 1000 * (seq + 1), values)
        key = hashlib.sha256(node.encode()).hexdigest()[:16]
        data = format_frame(plant.site, node, key, 1, seq, prev[node], "S", [scan])
        prev[node] = hashlib.sha256(data).digest()
        yield f"raffinate/1/{plant.site}/{node}/frame", data


def session_of(settings: Broker, plant: Plant, inbox: Inbox) -> MqttSession:
    """The gateway's session."""
    return MqttSession(settings, plant.site, inbox, Presence("0" * 16, "bench"))


def subscribe(settings: Broker, plant: Plant) -> None:
    """Let the broker know the gateway's session, then go."""
    session = session_of(settings, plant, Inbox())
    session.start()
    while session.state()[0] != "connected":
        time.sleep(0.05)
    time.sleep(0.5)
    session.stop()


def fill(port: int, plant: Plant, count: int) -> None:
    """Publish with QoS 1, at most WINDOW unacknowledged; a plain socket is fast enough."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06filler")
        sock.recv(4)
        acked = sent = 0
        for topic, data in frames_of(plant, count):
            name = topic.encode()
            body = (
                len(name).to_bytes(2, "big") + name + (sent % 65535 + 1).to_bytes(2, "big") + data
            )
            sock.sendall(b"\x32" + remaining(len(body)) + body)
            sent += 1
            while sent - acked >= WINDOW:
                acked += len(sock.recv(65536)) // 4
        while acked < sent:
            acked += len(sock.recv(65536)) // 4


def remaining(length: int) -> bytes:
    """MQTT's variable-length number."""
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(out)


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


def cpu_seconds() -> float:
    """CPU of this process, all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
