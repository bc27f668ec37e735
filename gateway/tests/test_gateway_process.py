"""`raffinate gateway` as a process: start, page, kill -9, second gateway, full disk, clean end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

import plants
from raffinate.archive import FrameArchive
from raffinate.config.template import write_template
from raffinate.ingest.validate import FrameReader

pytestmark = pytest.mark.broker
PATIENCE_S = 60.0
ORIGIN = "demo.invalid/raffinate/ndpr"


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def raffinate(*words, **options):
    command = [sys.executable, "-m", "raffinate", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options
    )


class GatewayProcess:
    """The process, its log and its page."""

    def __init__(self, folder):
        self.folder = folder
        self.plant = folder / "plant.toml"
        self.process = None
        self.url = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def start(self):
        with (self.folder / "gateway.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "raffinate", "gateway", "--plant", str(self.plant)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"{line!r}, log: {self.log()}"
        self.url = found[0]
        until(lambda: self.health()["broker"]["state"] == "connected", "the broker session")
        return self

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def log(self):
        return (self.folder / "gateway.log").read_text()

    def get(self, path):
        return httpx.get(self.url + path.lstrip("/"), timeout=PATIENCE_S)

    def health(self):
        return self.get("/api/v1/health").json()


@pytest.fixture
def gateway(broker, tmp_path):
    folder = tmp_path / "plant"
    write_template(folder, listen_port=0, broker_port=broker.port)
    made = raffinate("keys", "init", "--origin", ORIGIN, "--plant", str(folder / "plant.toml"))
    assert made.returncode == 0, made.stderr
    with GatewayProcess(folder) as process:
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


def archived(folder):
    archive = FrameArchive(
        folder / "data" / "archive.sqlite",
        FrameReader().read,
        bytes_max=1 << 40,
        quarantine_bytes_max=1 << 30,
    )
    found = archive.quarantined()
    archive.close()
    return found


def test_it_starts_serves_and_ends_in_order(gateway):
    gateway.start()
    health = gateway.health()
    assert health["ingest"] == {"state": "ok", "detail": "", "queue": 0}
    assert [node["node"] for node in health["nodes"]] == ["n01", "n02", "n03", "n04"]
    metrics = gateway.get("/metrics").text
    assert "raffinate_broker_connected 1.0" in metrics
    assert "raffinate_frames_total 0.0" in metrics
    assert gateway.get("/api/v1/plant").status_code == 200
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log()
    gateway.start()
    assert gateway.end(signal.SIGINT) == 0


def test_a_second_gateway_on_the_same_data_is_refused_with_the_first_one_s_name(gateway):
    gateway.start()
    second = raffinate("gateway", "--plant", str(gateway.plant))
    assert second.returncode == 1
    assert f"process {gateway.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert gateway.process.poll() is None


def test_a_taken_port_is_named(gateway, free_port):
    text = gateway.plant.read_text().replace("port = 0", f"port = {free_port}")
    gateway.plant.write_text(text)
    gateway.start()
    other = gateway.folder / "other"
    write_template(other, listen_port=free_port)
    made = raffinate("keys", "init", "--origin", ORIGIN, "--plant", str(other / "plant.toml"))
    assert made.returncode == 0
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
    until(lambda: "raffinate_quarantined_total 3.0" in gateway.get("/metrics").text, "the count")
    gateway.kill()
    gateway.start()
    assert gateway.end() == 0
    reasons = sorted(item.reason for item in archived(gateway.folder))
    assert len(reasons) == 3
    assert "unknown-node" in reasons


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
    assert (found["site"], found["stages"], found["points"]) == ("ndpr", 16, 96)
