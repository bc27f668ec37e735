"""The node's session over real brokers: real MicroPython, nats-server and mosquitto.

What must hold in each: every frame reaches the gateway with its own bytes, or is named as lost.
"""

import time

import pytest

from gateway_stub import KEYID, Gateway
from node_runner import Node, Proxy
from raffinate_rig.brokers import BROKERS
from raffinate_rig.plugin import requires_tool
from raffinate_wire.ack import format_ack

pytestmark = [pytest.mark.micropython, pytest.mark.broker]

QUICK = {"backoff_ms_min": 50, "backoff_ms_max": 400, "run_ms": 60000}


@pytest.fixture(params=sorted(BROKERS))
def broker(request, tmp_path):
    requires_tool(request.param)
    with BROKERS[request.param](tmp_path / "broker") as running:
        yield running


@pytest.fixture
def gateways(broker):
    """A maker of gateways; all are stopped at the end."""
    made = []

    def make(**options):
        made.append(Gateway(broker.port, **options))
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()


def all_of(boot, count):
    return {(boot, seq) for seq in range(count)}


def one_content_each(*gateways):
    for gateway in gateways:
        assert all(len(contents) == 1 for contents in gateway.bytes_of.values())


def test_frames_statements_status_and_time(micropython, broker, gateways, tmp_path):
    gateway = gateways()
    node = Node(micropython, broker.port, tmp_path / "flash", frames=60, statements=7, **QUICK)
    counts = node.wait()
    assert gateway.unique() == all_of(1, 60)
    assert sorted(set(gateway.statements)) == list(range(1, 8))
    one_content_each(gateway)
    assert "clock S 1" in node.text()
    assert "waiting (0, 0, 0, 0)" in node.text()
    assert counts["failures"] == 0
    assert counts["frames_spilled"] == 0
    assert counts["answers"] >= 1
    assert counts["malformed"] == counts["handler_errors"] == 0
    gateway.wait_for(lambda: [status.online for status in gateway.statuses][-1] is False)


def test_the_largest_frames(micropython, broker, gateways, tmp_path):
    gateway = gateways()
    Node(micropython, broker.port, tmp_path / "flash", frames=25, size=16384, **QUICK).wait()
    assert gateway.unique() == all_of(1, 25)
    assert {len(data) for contents in gateway.bytes_of.values() for data in contents} == {16384}


def test_a_cut_connection_is_resumed_without_loss(micropython, broker, gateways, tmp_path):
    gateway = gateways()
    proxy = Proxy(broker.port)
    try:
        node = Node(micropython, proxy.port, tmp_path / "flash", frames=150, statements=3, **QUICK)
        for reached in (20, 60, 100):
            gateway.wait_for(lambda reached=reached: len(gateway.unique()) >= reached)
            proxy.cut()
        counts = node.wait()
    finally:
        proxy.stop()
    assert gateway.unique() == all_of(1, 150)
    one_content_each(gateway)
    assert counts["resumes"] == 3
    assert counts["connects"] == 4


def test_a_killed_broker_costs_no_frame(micropython, broker, gateways, tmp_path):
    gateway = gateways(name="gateway")
    node = Node(micropython, broker.port, tmp_path / "flash", frames=150, statements=3, **QUICK)
    for reached in (20, 80):
        gateway.wait_for(lambda reached=reached: len(gateway.unique()) >= reached)
        broker.kill()
        time.sleep(0.3)
        broker.start()
    counts = node.wait()
    assert gateway.unique() == all_of(1, 150)
    assert set(gateway.statements) == {1, 2, 3}
    one_content_each(gateway)
    assert counts["failures"] >= 2
    # mosquitto forgets the session at kill -9, nats-server keeps it.
    assert counts["resumes"] == (counts["connects"] - 1 if broker.KEEPS_AT_KILL else 0)


def test_a_broker_that_comes_late_gets_what_was_spilled(micropython, broker, gateways, tmp_path):
    broker.stop()
    node = Node(
        micropython,
        broker.port,
        tmp_path / "flash",
        frames=80,
        statements=2,
        group_bytes=4096,
        **QUICK,
    )
    time.sleep(2.5)
    broker.start()
    gateway = gateways()
    counts = node.wait()
    assert gateway.unique() == all_of(1, 80)
    assert set(gateway.statements) == {1, 2}
    assert counts["frames_spilled"] > 50
    assert counts["failures"] >= 1


def test_what_the_broker_took_for_nobody_is_sent_again(micropython, broker, gateways, tmp_path):
    # Both brokers drop what was published before anyone subscribed.
    node = Node(
        micropython,
        broker.port,
        tmp_path / "flash",
        frames=150,
        period_ms=50,
        statements=2,
        **QUICK,
    )
    time.sleep(3)
    gateway = gateways()
    node.wait()
    assert gateway.unique() == all_of(1, 150)
    assert set(gateway.statements) == {1, 2}
    one_content_each(gateway)


def test_another_run_of_the_gateway_gets_everything_unacked(
    micropython, broker, gateways, tmp_path
):
    first = gateways(acks=False)
    node = Node(micropython, broker.port, tmp_path / "flash", frames=40, statements=2, **QUICK)
    first.wait_for(lambda: len(first.unique()) == 40)
    first.stop()
    second = gateways(epoch=2)
    # What a gateway says once it is up: nothing is archived, and it is another run.
    second.publish("ack", format_ack(KEYID[:16], 2, [], [], []))
    counts = node.wait()
    assert second.unique() == all_of(1, 40)
    assert set(second.statements) == {1, 2}
    one_content_each(first, second)
    assert counts["answers"] >= 1


def test_a_killed_node_sends_what_it_spilled_and_names_the_rest(
    micropython, broker, gateways, tmp_path
):
    flash = tmp_path / "flash"
    deaf = gateways(acks=False)
    options = {**QUICK, "frames": 100, "group_bytes": 4096}
    node = Node(micropython, broker.port, flash, **options)
    deaf.wait_for(lambda: len(deaf.unique()) >= 60)
    node.kill()
    sent = deaf.unique()
    deaf.stop()
    gateway = gateways()
    again = Node(micropython, broker.port, flash, boot=2, **options)
    again.wait()
    words = again.text().splitlines()[0].replace("(", "").replace(",", "").split()
    assert words[0] == "lost"
    boot, first_lost = int(words[1]), int(words[2])
    assert boot == 1
    assert 40 <= first_lost <= max(seq for _, seq in sent) + 1
    expected = {(1, seq) for seq in range(first_lost)} | all_of(2, 100)
    assert gateway.unique() == expected
    one_content_each(gateway)


def test_odd_messages_from_the_gateways_side(micropython, broker, gateways, tmp_path):
    gateway = gateways()
    gateway.publish("permit/bat-ext", b"{permit}", retain=True)
    gateway.publish("permit/bat-str", b"", retain=True)
    node = Node(micropython, broker.port, tmp_path / "flash", frames=200, period_ms=30, **QUICK)
    gateway.wait_for(lambda: len(gateway.unique()) >= 10)
    gateway.publish("ack", b"x" * 20000)
    gateway.publish("receipt", b"x" * 300000)
    gateway.publish("ack", b"{}")
    gateway.publish("ack", format_ack("0" * 16, 9, [(1, 10**6)], [], []))
    gateway.publish("resume", b"\xff\xfe")
    gateway.publish("cmd", b'{"cmd":"identify"}')
    gateway.publish("cmd", b'{"cmd":"reset"}')
    gateway.publish("permit/bat-ext", b"")
    counts = node.wait()
    assert gateway.unique() == all_of(1, 200)
    assert counts["oversize"] == 2
    assert counts["malformed"] == 4
    assert counts["foreign"] == 1
    assert counts["commands_refused"] == 1
    assert counts["permits"] == 1
    assert counts["failures"] == 0
    assert counts["handler_errors"] == 0
    assert "raffinate identify ndpr/n01" in node.text()
    assert "permit bat-ext 8" in node.text()


def test_loaded_as_mpy_in_a_board_sized_heap_that_does_not_grow(
    micropython, broker, gateways, tmp_path
):
    class Board:
        """As on a board: .mpy, and what 160 KB of heap are with 32-bit words."""

        @staticmethod
        def command():
            return micropython.command(mpy=True, heapsize="160wK")

        @staticmethod
        def environment():
            return micropython.environment(mpy=True)

    gateway = gateways()
    options = {**QUICK, "frames": 1500, "size": 1500, "period_ms": 1, "heap_at": 300}
    node = Node(Board, broker.port, tmp_path / "flash", statements=5, **options)
    node.wait()
    assert gateway.unique() == all_of(1, 1500)
    assert "error task" not in node.text()
    heaps = [int(line.split()[2]) for line in node.text().splitlines() if line[:5] == "heap "]
    assert len(heaps) == 2
    assert abs(heaps[1] - heaps[0]) <= 1024
