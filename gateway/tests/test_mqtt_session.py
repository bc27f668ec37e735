"""The gateway's session on real brokers: order, redelivery, other gateways, broker restarts."""

from __future__ import annotations

import threading
import time

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

import plants
from evidence_fake import PlainEvidence
from raffinate.archive import FrameArchive
from raffinate.config import Broker
from raffinate.ingest import presence
from raffinate.ingest.inbox import Inbox
from raffinate.ingest.mqtt import MESSAGE_BYTES_MAX, MqttSession
from raffinate.ingest.presence import Presence
from raffinate.ingest.validate import FrameReader
from raffinate.ingest.worker import IngestWorker
from raffinate.model import Outgoing
from raffinate_wire.ack import parse_ack
from raffinate_wire.status import format_online

pytestmark = pytest.mark.broker
FRAME_TOPIC = "raffinate/1/ndpr/n01/frame"
PATIENCE_S = 40.0


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def settings_of(broker) -> Broker:
    return Broker(broker.host, broker.port, None, None, 30)


class Session:
    """A gateway's session that keeps what comes; `take` does not acknowledge."""

    def __init__(self, broker, instance="a" * 16):
        self.inbox = Inbox()
        self.session = MqttSession(
            settings_of(broker), plants.SITE, self.inbox, Presence(instance, f"host {instance}")
        )
        self.messages = []

    def __enter__(self):
        self.session.start()
        return self

    def __exit__(self, *_):
        self.session.stop()

    def connected(self):
        until(lambda: self.session.state()[0] == "connected", "a session")
        time.sleep(0.3)  # the broker's SUBACK has no face here
        return self

    def take(self, count, what="messages"):
        def enough():
            self.messages += [m for m in self.inbox.take(0.05) if m.topic.endswith("/frame")]
            return len(self.messages) >= count

        until(enough, what)
        return self.messages


class Board:
    """A publisher and subscriber with a durable session, as a board has."""

    def __init__(self, broker, node="n01"):
        self.heard = []
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{plants.SITE}_{node}",
            clean_session=False,
            protocol=paho.MQTTv311,
        )
        self.client.on_message = lambda _c, _d, message: self.heard.append(message)
        self.client.connect(broker.host, broker.port)
        self.client.subscribe([(f"raffinate/1/{plants.SITE}/{node}/ack", 1)])
        self.client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, data, topic=FRAME_TOPIC, retain=False):
        self.client.publish(topic, data, 1, retain).wait_for_publish(PATIENCE_S)

    def acks(self):
        return [parse_ack(bytes(m.payload)) for m in self.heard if m.topic.endswith("/ack")]


def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker):
    with Session(broker) as first, Board(broker) as board:
        first.connected()
        for number in range(6):
            board.publish(b"%d" % number)
        messages = first.take(6)
        assert [m.payload for m in messages] == [b"%d" % n for n in range(6)]
        first.session.ack([m.mid for m in messages[:3]])
        time.sleep(0.5)
    with Session(broker) as second, Board(broker) as board:
        second.connected()
        board.publish(b"6")
        second.take(4)
        assert {m.payload for m in second.messages} == {b"3", b"4", b"5", b"6"}


def test_a_wake_that_comes_while_another_is_taken_is_not_lost(broker):
    """The socket that wakes the session's thread takes a message just as it is being emptied."""
    topic = f"raffinate/1/{plants.SITE}/n01/ack"
    with Session(broker) as gateway, Board(broker) as board:
        session = gateway.connected().session
        reader = session._wake_reader

        class Busy:
            meddled = False

            def fileno(self):
                return reader.fileno()

            def recv(self, size):
                if not self.meddled:
                    self.meddled = True
                    session.publish([Outgoing(topic, b"in between")])
                return reader.recv(size)

            def close(self):
                reader.close()

        session._wake_reader = Busy()
        for payload in (b"before", b"after", b"last"):
            session.publish([Outgoing(topic, payload)])
            time.sleep(0.3)
        until(lambda: len(board.heard) >= 4, "all four messages")
        assert {bytes(m.payload) for m in board.heard} == {
            b"before",
            b"in between",
            b"after",
            b"last",
        }


def test_ids_of_an_earlier_connection_acknowledge_nothing(broker):
    with Session(broker) as gateway, Board(broker) as board:
        gateway.connected()
        board.publish(b"0")
        [message] = gateway.take(1)
        gateway.session.reconnect()
        until(lambda: len(gateway.take(1)) and gateway.take(2), "the message again")
        again = gateway.messages[1]
        assert again.payload == b"0"
        assert again.mid != message.mid
        gateway.session.ack([message.mid])
        gateway.session.reconnect()
        third = gateway.take(3)[2]
        assert third.payload == b"0"
        gateway.session.ack([third.mid])


def test_a_message_without_an_id_costs_no_session(broker):
    """Anybody's QoS 0: a broker ends the connection of who acknowledges it, retained for good."""
    status = f"raffinate/1/{plants.SITE}/n01/status"
    announced = presence.presence_topic(plants.SITE)
    with Session(broker) as gateway, Board(broker) as board:
        gateway.connected()
        for topic in (FRAME_TOPIC, status, announced):
            board.client.publish(topic, b"junk", 0, True).wait_for_publish(PATIENCE_S)
        gateway.session.ack([message.mid for message in gateway.take(1)])
        board.publish(b"after")
        frames = gateway.take(2)
        gateway.session.ack([message.mid for message in frames[1:]])
        gateway.session.publish([Outgoing(f"raffinate/1/{plants.SITE}/n01/ack", b"still there")])
        until(lambda: board.heard, "a message after the acknowledgements")
        # both are of one connection: an ended one would have begun a second
        assert gateway.session._generation == 1
        assert gateway.session.state() == ("connected", "")


def test_a_topic_that_is_no_text_is_a_bad_one(free_port):
    """No broker at hand lets one through."""
    inbox = Inbox()
    settings = Broker("127.0.0.1", free_port, None, None, 30)
    session = MqttSession(settings, plants.SITE, inbox, Presence("a" * 16, "here"))
    message = paho.MQTTMessage(7, b"raffinate/1/\xff/n01/frame")
    message.qos, message.payload = 1, b"junk"
    session._on_message(session._client, None, message)
    (taken,) = inbox.take(1.0)
    assert taken.payload == b"junk"
    assert taken.topic.isprintable()
    session.stop()


def test_of_an_overlong_message_only_so_much_is_kept_as_shows_that(broker):
    with Session(broker) as gateway, Board(broker) as board:
        gateway.connected()
        board.publish(b"x" * 900_000)
        (message,) = gateway.take(1)
    assert message.payload == b"x" * MESSAGE_BYTES_MAX


def test_a_session_that_stops_says_goodbye_to_the_broker(broker):
    for _ in range(2):
        with Session(broker) as gateway:
            gateway.connected()
            sock = gateway.session._client.socket()
        assert sock.fileno() == -1
    assert "Replacing old client" not in broker.log_text()
    assert "already connected" not in broker.log_text()


def test_messages_wait_for_an_absent_gateway(broker):
    with Session(broker) as gateway:
        gateway.connected()
    with Board(broker) as board:
        for number in range(50):
            board.publish(b"%d" % number)
    with Session(broker) as gateway:
        messages = gateway.connected().take(50)
        assert sorted(int(m.payload) for m in messages) == list(range(50))


def test_a_second_gateway_waits_and_says_who_serves_and_takes_over_in_the_end(broker):
    with Session(broker, "a" * 16) as first:
        first.connected()
        with Session(broker, "b" * 16) as second:
            until(lambda: second.session.state()[0] == "kicked", "the second to say so")
            assert f"host {'a' * 16}" in second.session.state()[1]
            time.sleep(1.5)
            assert first.session.state() == ("connected", "")
            first.session.stop()
            until(lambda: second.session.state()[0] == "connected", "the takeover")


def test_one_that_is_kicked_off_yields(broker, monkeypatch):
    monkeypatch.setattr(presence.PresenceProbe, "other", lambda *_: None)
    with Session(broker, "a" * 16) as first:
        first.connected()
        with Session(broker, "b" * 16) as second:
            second.connected()
            monkeypatch.undo()
            until(lambda: first.session.state()[0] == "kicked", "the first to yield")
            until(lambda: second.session.state()[0] == "connected", "the second to hold")
            time.sleep(1.5)
            assert first.session.state()[0] == "kicked"
            assert second.session.state()[0] == "connected"


def test_one_that_fell_silent_is_followed(broker, monkeypatch):
    monkeypatch.setattr(presence, "GONE_S", 2.0)
    with Session(broker, "a" * 16) as first:
        first.connected()
        first.session._client.socket().close()
        first.session._stopping.set()
    with Session(broker, "b" * 16) as second:
        until(lambda: second.session.state()[0] == "kicked", "the second to say so")
        until(lambda: second.session.state()[0] == "connected", "the takeover")


def test_the_same_gateway_killed_and_started_again_is_not_another(broker):
    with Session(broker, "a" * 16) as first:
        first.connected()
        first.session._client.socket().close()
        first.session._stopping.set()
    with Session(broker, "a" * 16) as again:
        again.connected()


def test_a_broker_that_is_down_is_said_and_waited_for(broker):
    with Session(broker) as gateway:
        gateway.connected()
        broker.stop()
        until(lambda: gateway.session.state()[0] == "connecting", "the state")
        assert f"127.0.0.1:{broker.port}" in gateway.session.state()[1]
        broker.start()
        gateway.connected()
        with Board(broker) as board:
            board.publish(b"0")
            gateway.take(1)


class RunningIngest:
    """Session, worker and archive as the gateway runs them."""

    def __init__(self, broker, folder):
        self.archive = FrameArchive(
            folder / "archive.sqlite",
            FrameReader().read,
            bytes_max=1 << 40,
            quarantine_bytes_max=1 << 30,
        )
        self.source = Session(broker)
        self.worker = IngestWorker(
            plants.demo_plant(),
            self.source.inbox,
            self.source.session,
            self.archive,
            PlainEvidence(),
            lambda _: None,
            lambda: time.time_ns() // 1_000_000,
        )
        self.thread = threading.Thread(target=self.worker.run)

    def __enter__(self):
        self.thread.start()
        self.source.session.start()
        self.source.connected()
        return self

    def __exit__(self, *_):
        self.worker.stop()
        self.thread.join()
        self.source.session.stop()
        self.archive.close()

    def bytes(self):
        return [stored.frame.data for stored in self.archive.read(0, 10_000)]


def test_from_a_board_to_the_archive_and_the_ack_back(broker, tmp_path):
    frames = plants.chain(20)
    with RunningIngest(broker, tmp_path) as gateway, Board(broker) as board:
        for data in frames:
            board.publish(data)
        until(lambda: board.acks() and board.acks()[-1].boots == [(1, 19)], "the ack")
        assert gateway.bytes() == frames


def test_nothing_is_lost_or_doubled_when_the_gateway_goes_in_the_middle(broker, tmp_path):
    frames = plants.chain(300)
    with Board(broker) as board:
        with RunningIngest(broker, tmp_path):
            for data in frames[:100]:
                board.publish(data)
        for data in frames[100:200]:
            board.publish(data)
        with RunningIngest(broker, tmp_path) as gateway:
            for data in frames[200:]:
                board.publish(data)
            keyid = plants.KEY + "0" * 48
            topic = f"raffinate/1/{plants.SITE}/n01/status"
            board.publish(format_online(1, keyid, "0" * 32, 0), topic)
            until(lambda: len(gateway.bytes()) == 300, "all frames")
            until(lambda: (1, 299) in [b for a in board.acks() for b in a.boots], "the ack")
            assert sorted(gateway.bytes()) == sorted(frames)
            assert gateway.archive.findings() == []


def test_a_node_s_message_published_without_a_broker_is_dropped_and_counted(free_port):
    inbox = Inbox()
    settings = Broker("127.0.0.1", free_port, None, None, 30)
    session = MqttSession(settings, plants.SITE, inbox, Presence("a" * 16, "here"))
    session.publish([Outgoing("raffinate/1/ndpr/n01/ack", b"x")] * 20_001)
    assert session.publish_dropped == 1
    session.start()
    until(lambda: session.state()[1], "a sentence about the broker")
    assert session.state()[0] == "connecting"
    session.stop()
