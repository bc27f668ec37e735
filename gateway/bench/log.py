"""Benchmark (e): the log's own ingest, without MQTT.

`python log.py [--count N] [--batch N] [--nodes N] [--json]`. The evidence service takes batches of
signed statements of several nodes: every signature and every chain checked, durable, in a signed
checkpoint, published, receipted. Beside it, in the same run: the raw P-256 verification rate of
one core and of two, the raw fsync rate, Tessera's POSIX server under its own hammer with entries
of the same size (it checks no signature; `make peers` builds it), and the time from publish to
receipt at 50 statements/s through a real broker. Raw rate and ingest take turns, so that both see
the same machine. Goals: 0.6 of the raw rate of two cores, more than Tessera, p99 within 300 ms
besides the batch interval.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import tessera
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rates import RawVerifier, cpu_s, fsync_rate, peak_mb
from statements import Gateway

from raffinate.config import Broker
from raffinate.evidence import dsse
from raffinate.ingest.inbox import GATHER_S
from raffinate_rig.brokers import BROKERS
from raffinate_rig.processes import MissingToolError, ProcessError
from raffinate_wire import topics

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from evidence_site import enrolled_site
from node_simulator import SITE

GOAL = 0.6
LATENCY_MS_GOAL = 300
ROUNDS = 5
_RAW_S = 0.5
_LATENCY_HZ = 50
_LATENCY_COUNT = 1000
_TESSERA_S = 8.0
_SUBSCRIBED_S = 1.0
_LATENCY_PATIENCE_S = 30


def main() -> int:
    """Run it; exit status 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=4000)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="mosquitto")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = ingest(Path(folder), arguments.count, arguments.batch, arguments.nodes)
        found |= latency(Path(folder), arguments.broker)
    found |= peer(int(found["bytes_each"]))
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:<34} {value}\n")
    tessera = found["tessera_entries_per_s"]
    met = (
        found["of_two_cores_raw_rate"] >= GOAL
        and (isinstance(tessera, str) or found["statements_per_s"] > tessera)
        and found["receipt_p99_ms"] - found["batch_interval_ms"] < LATENCY_MS_GOAL
    )
    return 0 if met else 1


def ingest(folder: Path, count: int, batch: int, nodes: int) -> dict[str, float | str]:
    """The log's figures, by name; rates a second, times in microseconds of CPU."""
    names = tuple(f"n{number + 1:02d}" for number in range(nodes))
    machines = tuple((f"bat-{name}", name) for name in names)
    site, signers = enrolled_site(folder / "site", nodes, nodes=names, equipment=machines)
    made = [
        site.message(node, node.boot() if turn == 0 else node.usage(1000 * (turn % 2)))
        for turn in range(count // nodes)
        for node in signers
    ]
    envelope = dsse.decode_envelope(made[-1].payload)
    pae = dsse.pae(envelope.payload, envelope.payload_type)
    raw = RawVerifier(signers[-1].pair.spki, envelope.signature, pae)
    warm = made[: batch // 4]
    site.service.submit(warm)
    verifiers = site.service._verifier.pids  # noqa: SLF001
    rest, receipts = made[len(warm) :], 0
    gc.freeze()  # the messages made here are not the service's
    walls, raws, cpus = 0.0, [raw.rate(_RAW_S)], [0.0, 0.0]
    per_round = -(-len(rest) // (ROUNDS * batch)) * batch
    for at in range(0, len(rest), per_round):
        start, before = time.perf_counter(), (time.process_time(), cpu_s(*verifiers))
        for place in range(at, min(at + per_round, len(rest)), batch):
            receipts += len(site.service.submit(rest[place : place + batch]).outgoing)
        walls += time.perf_counter() - start
        cpus[0] += time.process_time() - before[0]
        cpus[1] += cpu_s(*verifiers) - before[1]
        raws.append(raw.rate(_RAW_S))
    one, _ = raw.rate(_RAW_S, 1)
    raw.close()
    site.close()
    two = sum(rate for rate, _ in raws) / len(raws)
    per_cpu = sum(rate for _, rate in raws) / len(raws)
    rate = len(rest) / walls
    return {
        "statements": len(rest),
        "bytes_each": len(made[-1].payload),
        "statements_per_s": round(rate),
        "cpu_us_each_service": round(1e6 * cpus[0] / len(rest), 1),
        "cpu_us_each_verifiers": round(1e6 * cpus[1] / len(rest), 1),
        "receipts": receipts,
        "raw_p256_per_s_one_core": round(one),
        "raw_p256_per_s_two_cores": round(two),
        "raw_p256_per_cpu_s": round(per_cpu),
        "raw_fsync_per_s": round(fsync_rate(folder)),
        "of_two_cores_raw_rate": round(rate / two, 3),
        "of_raw_rate_per_cpu_s": round(len(rest) / sum(cpus) / per_cpu, 3),
        "goal": GOAL,
        "peak_mb_service_and_messages": peak_mb(),
    }


def latency(folder: Path, kind: str) -> dict[str, float | str]:
    """Milliseconds from a node's publish to its receipt, through a broker and the whole ingest."""
    site, nodes = enrolled_site(folder / "latency", 4)
    sent: dict[bytes, float] = {}
    found: list[float] = []
    with BROKERS[kind](folder / "broker") as broker:
        settings = Broker("127.0.0.1", broker.port, None, None, 30)
        gateway = Gateway(site, folder / "latency", settings)
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-nodes")
        ready = threading.Event()

        def on_receipt(_client: object, _data: object, message: paho.MQTTMessage) -> None:
            start = sent.get(message.payload.partition(b"\n")[0])
            if start is not None:
                found.append(time.perf_counter() - start)

        client.on_message = on_receipt
        client.on_subscribe = lambda *_: ready.set()
        client.connect(settings.host, settings.port)
        client.loop_start()
        client.subscribe(f"raffinate/1/{SITE}/+/{topics.RECEIPT}", 1)
        ready.wait(10)
        with gateway.running():
            while gateway.session.state()[0] != "connected":
                time.sleep(0.01)
            time.sleep(_SUBSCRIBED_S)
            begin = time.perf_counter()
            for number in range(_LATENCY_COUNT):
                node = nodes[number % len(nodes)]
                data = node.usage(1000) if node.seq else node.boot()
                time.sleep(max(0.0, begin + number / _LATENCY_HZ - time.perf_counter()))
                sent[b"statement %b %d" % (node.keyid.encode(), node.seq)] = time.perf_counter()
                client.publish(topics.topic(SITE, node.node, topics.STATEMENT), data, qos=1)
            deadline = time.perf_counter() + _LATENCY_PATIENCE_S
            while len(found) < _LATENCY_COUNT and time.perf_counter() < deadline:
                time.sleep(0.01)
        client.disconnect()
        client.loop_stop()
    if len(found) < _LATENCY_COUNT:
        raise RuntimeError(f"only {len(found)} of {_LATENCY_COUNT} receipts came")
    found.sort()
    return {
        "receipt_p50_ms": round(1000 * found[len(found) // 2], 1),
        "receipt_p99_ms": round(1000 * found[len(found) * 99 // 100], 1),
        "receipt_hz": _LATENCY_HZ,
        "batch_interval_ms": round(1000 * GATHER_S),
    }


def peer(entry_bytes: int) -> dict[str, float | str]:
    """Tessera's entries a second, or what is missing."""
    try:
        return {"tessera_entries_per_s": round(tessera.run(entry_bytes, _TESSERA_S))}
    except (MissingToolError, ProcessError, TimeoutError) as error:
        return {"tessera_entries_per_s": f"not measured: {error}"}


if __name__ == "__main__":
    sys.exit(main())
