"""Checks of the link's parts that need no broker, on any Python."""

# ruff: noqa: SIM105 - the dialect has no contextlib

import asyncio

from raffinate_node import aio
from raffinate_node.link import Link
from raffinate_node.window import WINDOW_MAX, Window
from upy_hal import Hal

BROKER = {"host": "127.0.0.1", "port": 1, "user": None, "password": None, "keepalive_s": 30}


class Message:
    def __init__(self):
        self.lost = 0

    def on_lost(self):
        self.lost += 1


def _filled(window, count):
    for _ in range(count):
        window.fill(window.free(), Message())


def check_ids_skip_0_and_those_in_use(_):
    window = Window(4)
    _filled(window, 2)
    assert [slot.packet_id for slot in window.slots[:2]] == [1, 2]
    window._last_id = 65533
    assert [window.next_id() for _ in range(4)] == [65534, 65535, 3, 4]


def check_only_a_sent_message_can_be_acknowledged(_):
    window = Window(4)
    _filled(window, 1)
    assert window.acknowledge(1) is None
    window.slots[0].sent = True
    assert window.acknowledge(2) is None
    assert window.acknowledge(1) is not None
    assert window.acknowledge(1) is None
    assert window.free() is window.slots[0]


def check_a_resume_sends_what_was_in_flight_first_with_dup_in_order(_):
    window = Window(4)
    _filled(window, 4)
    for slot in window.slots:
        slot.sent = True
    window.acknowledge(1)
    _filled(window, 1)
    newest = window.slots[0]
    assert newest.packet_id == 5
    window.settle(True)
    order = []
    while window.due() is not None:
        slot = window.due()
        order.append((slot.packet_id, slot.dup))
        slot.sent = True
    assert order == [(2, True), (3, True), (4, True), (5, False)]


def check_without_a_session_all_is_given_back(_):
    window = Window(2)
    _filled(window, 2)
    messages = [slot.message for slot in window.slots]
    window.settle(False)
    assert [message.lost for message in messages] == [1, 1]
    assert window.due() is None
    assert window.free() is window.slots[0]


def check_window_limits(_):
    for size in (0, WINDOW_MAX + 1):
        try:
            Window(size)
        except ValueError:
            continue
        raise AssertionError(size)


def check_backoff_is_full_jitter_under_a_cap_that_doubles(_):
    hal = Hal()
    link = Link(hal, BROKER, "n", None)
    for share in (0, 0.5, 0.999999):
        link._failures_running = 0
        caps = []
        for expected in (1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000):
            number = int(expected * share)
            hal.random = lambda n, number=number: number.to_bytes(n, "big")
            caps.append(link._backoff_ms(False) == number)
        assert all(caps), (share, caps)
    hal.random = lambda n: (123456).to_bytes(n, "big")
    link._failures_running = 0
    assert link._backoff_ms(False) == 123456 % 1000
    for _n in range(5):
        link._failures_running = 0
        assert 30000 <= link._backoff_ms(True) < 60000


def _run_until_down(link, message=None):
    class StopError(Exception):
        pass

    reasons = []

    class Source:
        def on_down(self, reason):
            reasons.append(reason)
            raise StopError

        def will(self):
            return "status", b"gone"

        def topics(self):
            return ["a", "b"]

        def on_session(self, _present):
            pass

        def next_message(self):
            return message

    link._source = Source()
    beats = []

    async def main():
        try:
            await link.run(lambda: beats.append(1))
        except StopError:
            pass

    asyncio.run(main())
    return reasons[0], len(beats)


def check_network_and_connect_have_deadlines_and_beat_meanwhile(_):
    hal = Hal()

    async def never(*_args):
        await aio.sleep_ms(1000000)

    link = Link(hal, BROKER, "n", None, {"tcp_ms": 60}, opener=never)
    reason, beats = _run_until_down(link)
    assert reason == "no answer in time"
    assert beats > 2
    hal.network_up = never
    link = Link(hal, BROKER, "n", None, {"network_ms": 60}, opener=never)
    assert _run_until_down(link)[0] == "no answer in time"

    async def down():
        return False

    hal.network_up = down
    assert _run_until_down(Link(hal, BROKER, "n", None))[0] == "no network"


def check_a_closed_port_is_told(_):
    reason, _beats = _run_until_down(Link(Hal(), BROKER, "n", None))
    assert reason.startswith("network error"), reason


class Clogged:
    """A stream that answers the handshake and then takes no more bytes."""

    def __init__(self):
        self.answers = [b"\x20\x02\x00\x00", b"\x90\x04\x00\x01\x01\x01"]
        self.writes = 0
        self.closed = False

    async def readinto(self, view):
        while self.writes < 3 - len(self.answers) or not self.answers:
            await aio.sleep_ms(2)
        answer = self.answers.pop(0)
        view[: len(answer)] = answer
        return len(answer)

    async def write(self, _data):
        self.writes += 1
        while self.writes > 2:
            await aio.sleep_ms(2)

    async def close(self):
        self.closed = True


class Endless:
    """A message of 100 bytes."""

    topic = b"t"
    retain = False

    def size(self):
        return 100

    def read_into(self, _offset, view):
        return len(view)

    def hold(self):
        pass

    def unhold(self):
        pass


def check_a_write_without_progress_ends_the_connection(_):
    stream = Clogged()

    async def opener(_host, _port):
        return stream

    link = Link(Hal(), BROKER, "n", None, {"write_ms": 150}, opener=opener)
    reason, _beats = _run_until_down(link, Endless())
    assert reason == "the broker takes no more bytes"
    assert stream.closed
    assert stream.writes == 3


class Vanishing(Endless):
    """A message whose owner let go of it half read."""

    def read_into(self, offset, view):
        return 0 if offset else len(view) // 2


def check_a_message_that_vanishes_half_sent_ends_the_connection(_):
    stream = Clogged()

    async def opener(_host, _port):
        return stream

    link = Link(Hal(), BROKER, "n", None, opener=opener)
    reason, _beats = _run_until_down(link, Vanishing())
    assert reason == "a message vanished while it was sent"
