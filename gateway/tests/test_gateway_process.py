"""`raffinate gateway` as a process: start, page, kill -9, second gateway, full disk, clean end."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

import plants
from gateway_process import ORIGIN, PATIENCE_S, Board, GatewayProcess, raffinate, until
from raffinate.archive import FrameArchive
from raffinate.cli import main
from raffinate.config.template import write_template
from raffinate.ingest.validate import FrameReader

pytestmark = pytest.mark.broker


@contextmanager
def a_gateway(broker, folder):
    write_template(folder, listen_port=0, broker_port=broker.port)
    make_keys(folder)
    with GatewayProcess(folder) as process:
        yield process


def make_keys(folder):
    words = ["keys", "init", "--origin", ORIGIN, "--plant", str(folder / "plant.toml")]
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 0, made.output


@pytest.fixture
def gateway(broker, tmp_path):
    """Over both brokers, for what comes from nodes."""
    with a_gateway(broker, tmp_path / "plant") as process:
        yield process


@pytest.fixture
def nats_gateway(nats_broker, tmp_path):
    """For what has nothing to do with the broker's make."""
    with a_gateway(nats_broker, tmp_path / "plant") as process:
        yield process


def publish(broker, messages):
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ndpr_n01", clean_session=False)
    client.connect(broker.host, broker.port)
    client.loop_start()
    sent = [client.publish(topic, data, 1) for topic, data in messages]
    for item in sent:
        item.wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def open_archive(folder):
    return FrameArchive(
        folder / "data" / "archive.sqlite",
        FrameReader().read,
        bytes_max=1 << 40,
        quarantine_bytes_max=1 << 30,
    )


def archived(folder):
    archive = open_archive(folder)
    found = [stored.frame.data for stored in archive.read(0, 1 << 20)]
    archive.close()
    return found


def quarantined(folder):
    archive = open_archive(folder)
    found = sorted(item.reason for item in archive.quarantined())
    archive.close()
    return found


def test_it_starts_serves_and_ends_in_order(nats_gateway):
    nats_gateway.start()
    health = nats_gateway.health()
    assert health["ingest"] == {"state": "ok", "detail": "", "queue": 0}
    assert [node["node"] for node in health["nodes"]] == ["n01", "n02", "n03", "n04"]
    metrics = nats_gateway.get("/metrics").text
    assert "raffinate_broker_connected 1.0" in metrics
    assert "raffinate_frames_total 0.0" in metrics
    assert nats_gateway.get("/api/v1/plant").status_code == 200
    assert nats_gateway.end() == 0
    assert "Traceback" not in nats_gateway.log()
    nats_gateway.start()
    assert nats_gateway.end(signal.SIGINT) == 0


def test_a_second_gateway_on_the_same_data_is_refused_with_the_first_one_s_name(nats_gateway):
    nats_gateway.start()
    second = raffinate("gateway", "--plant", str(nats_gateway.plant))
    assert second.returncode == 1
    assert f"process {nats_gateway.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert nats_gateway.process.poll() is None


def test_a_taken_port_is_named(nats_gateway, free_port):
    text = nats_gateway.plant.read_text().replace("port = 0", f"port = {free_port}")
    nats_gateway.plant.write_text(text)
    nats_gateway.start()
    other = nats_gateway.folder / "other"
    write_template(other, listen_port=free_port)
    make_keys(other)
    second = raffinate("gateway", "--plant", str(other / "plant.toml"))
    assert second.returncode == 1
    assert f"port {free_port} cannot be served" in second.stderr


def test_bad_messages_are_in_quarantine_after_a_kill_and_once(gateway, broker):
    gateway.start()
    bad = [
        ("raffinate/1/ndpr/n01/frame", b"junk"),
        ("raffinate/1/ndpr/n77/frame", plants.make_frame(0, node="n77")),
        ("raffinate/1/ndpr/n01/statement", b"{}"),
    ]
    publish(broker, bad)
    until(
        lambda: sum(v for k, v in gateway.metrics().items() if "quarantined_total" in k) == 3,
        "the count",
    )
    gateway.kill()
    gateway.start()
    assert gateway.end() == 0
    reasons = quarantined(gateway.folder)
    assert len(reasons) == 3
    assert "unknown-node" in reasons


def test_nothing_acknowledged_is_lost_or_doubled_over_kills_at_any_time(gateway, broker):
    gateway.start()
    with Board(broker) as board:
        board.enrol(gateway)
        chance = random.Random(5)
        for _ in range(4):
            board.send(40)
            time.sleep(chance.uniform(0, 0.4))
            gateway.kill()
            board.send(20)
            gateway.start()
            board.say_boot()
        until(lambda: not board.held, "every frame's ack")
        assert board.upto == 239
        assert gateway.health()["nodes"][0]["findings"] == []
    assert gateway.end() == 0
    assert sorted(archived(gateway.folder)) == sorted(board.sent)


def test_on_a_full_disk_it_serves_on_acknowledges_nothing_and_resumes_by_itself(
    nats_gateway, nats_broker
):
    """The data folder is moved to a tmpfs of 8 MiB in a mount namespace of the gateway's own.

    Real nodes over both brokers: hil_tests/tests/test_faults_disk.py.
    """
    gateway, broker = nats_gateway, nats_broker
    data = gateway.folder / "data"
    text = gateway.plant.read_text()
    text = text.replace("disk_free_bytes_min = 64_000_000", "disk_free_bytes_min = 0")
    gateway.plant.write_text(text)
    script = (
        f"cp -a {data} {data}.src && mount -t tmpfs -o size=8m none {data} && "
        f'cp -a {data}.src/. {data}/ && exec "$@"'
    )
    with Board(broker) as board:
        gateway.start()
        board.enrol(gateway)
        assert gateway.end() == 0
        gateway.wrapped = ("unshare", "-rm", "sh", "-c", script, "sh")
        gateway.start()
        board.say_boot()
        board.send(10)
        until(lambda: not board.held, "acks while there is room")
        inside = Path(f"/proc/{gateway.process.pid}/root{data}")
        filler = inside / "filler"
        with filler.open("wb", buffering=0) as sink, suppress(OSError):
            while sink.write(bytes(4096)):
                pass
        board.send(300)
        until(lambda: gateway.health()["ingest"]["state"] == "storage-full", "the state")
        health = gateway.health()
        assert "is full" in health["ingest"]["detail"]
        assert any("is full" in warning for warning in health["warnings"])
        assert gateway.metrics()["raffinate_ingest_ok"] == 0
        held = len(board.held)
        board.send(10)
        time.sleep(3)
        assert len(board.held) >= held
        filler.unlink()
        until(lambda: gateway.health()["ingest"]["state"] == "ok", "the gateway to resume")
        until(lambda: not board.held, "every frame's ack")
        assert board.upto == 319
        shutil.copytree(inside, gateway.folder / "seen")
        assert gateway.end() == 0
    assert "Traceback" not in gateway.log()
    (gateway.folder / "seen").rename(gateway.folder / "after")
    shutil.rmtree(data)
    (gateway.folder / "after").rename(data)
    assert sorted(archived(gateway.folder)) == sorted(board.sent)


def test_without_keys_it_says_what_to_do(tmp_path):
    write_template(tmp_path)
    done = raffinate("gateway", "--plant", str(tmp_path / "plant.toml"))
    assert done.returncode == 2
    assert "raffinate keys init" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_of_a_plant_in_order(tmp_path):
    write_template(tmp_path)
    done = raffinate("check", "--plant", str(tmp_path / "plant.toml"), "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["site"], found["stages"], found["points"]) == ("ndpr", 17, 99)
