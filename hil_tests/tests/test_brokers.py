"""The real brokers start on free ports, survive kill -9 as documented, and say what is missing."""

from __future__ import annotations

import queue
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from raffinate_rig import processes
from raffinate_rig.brokers import Broker, MosquittoBroker, NatsBroker
from raffinate_rig.processes import HOST, MissingToolError, ProcessError, Program, find_tool

pytestmark = pytest.mark.broker
TOPIC = "raffinate/1/ndpr/n01/frame"
WAIT_S = 30


class Client:
    """A persistent QoS 1 session."""

    def __init__(self, broker: Broker, name: str, *, clean: bool = False) -> None:
        self.received: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=clean)
        self.mqtt.on_connect = lambda *_: self.connected.set()
        self.mqtt.on_subscribe = lambda *_: self.subscribed.set()
        self.mqtt.on_message = lambda _c, _u, m: self.received.put((m.topic, m.payload))
        self.mqtt.connect(HOST, broker.port)
        self.mqtt.loop_start()
        assert self.connected.wait(WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_: object):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def subscribe(self) -> None:
        self.mqtt.subscribe("raffinate/1/#", qos=1)
        assert self.subscribed.wait(WAIT_S)

    def publish(self, payload: bytes, *, retain: bool = False) -> None:
        message = self.mqtt.publish(TOPIC, payload, qos=1, retain=retain)
        message.wait_for_publish(WAIT_S)
        assert message.is_published()


def test_a_message_goes_through_and_the_broker_listens_on_loopback_only(broker):
    with Client(broker, "gateway") as gateway, Client(broker, "n01", clean=True) as node:
        gateway.subscribe()
        node.publish(b"one")
        assert gateway.received.get(timeout=WAIT_S) == (TOPIC, b"one")
    with open("/proc/net/tcp") as table:  # noqa: PTH123
        listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    addresses = {entry.split(":")[0] for entry in listening if int(entry[-4:], 16) == broker.port}
    assert addresses == {"0100007F"}


def test_started_again_in_order_the_session_is_still_there(broker):
    with Client(broker, "gateway") as gateway:
        gateway.subscribe()
    with Client(broker, "n01", clean=True) as node:
        node.publish(b"while away")
    port = broker.port
    broker.stop()
    assert not broker.running
    broker.start()
    assert broker.port == port
    with Client(broker, "gateway") as gateway:
        assert gateway.received.get(timeout=WAIT_S) == (TOPIC, b"while away")


@pytest.mark.parametrize("sync_always", [False, True])
def test_nats_keeps_sessions_queue_and_retained_at_kill(tmp_path, sync_always):
    with NatsBroker(tmp_path, sync_always=sync_always) as broker:
        with Client(broker, "gateway") as gateway:
            gateway.subscribe()
        with Client(broker, "n01", clean=True) as node:
            for number in range(100):
                node.publish(b"%d" % number, retain=number == 99)
            broker.kill()
        broker.start()
        with Client(broker, "gateway") as gateway:
            received = {gateway.received.get(timeout=WAIT_S)[1] for _ in range(100)}
        assert received == {b"%d" % number for number in range(100)}
        with Client(broker, "late", clean=True) as late:
            late.subscribe()
            assert late.received.get(timeout=WAIT_S)[1] == b"99"


def test_mosquitto_comes_back_on_its_port_after_a_kill(mosquitto_broker):
    mosquitto_broker.kill()
    assert not mosquitto_broker.running
    mosquitto_broker.start()
    with Client(mosquitto_broker, "gateway") as gateway:
        gateway.subscribe()
        gateway.publish(b"again")
        assert gateway.received.get(timeout=WAIT_S) == (TOPIC, b"again")


def test_a_missing_broker_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(processes, "SYSTEM_FOLDERS", (str(tmp_path),))
    with pytest.raises(MissingToolError, match="mosquitto is not installed: apt-get install mos"):
        MosquittoBroker(tmp_path / "m").start()


def test_a_taken_port_is_reported(tmp_path, nats_broker):
    second = NatsBroker(tmp_path / "second", port=nats_broker.port)
    with pytest.raises(ProcessError, match=f"port {nats_broker.port} of 127.0.0.1 is taken"):
        second.start()


def test_a_program_that_ends_at_once_is_reported(tmp_path):
    program = Program([find_tool("nats-server"), "-c", tmp_path / "none.conf"], tmp_path / "log")
    with pytest.raises(ProcessError, match=r"nats-server ended: 1\n.*none.conf"):
        program.wait_ready(lambda: False)
