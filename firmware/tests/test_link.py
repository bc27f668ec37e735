"""The link against a broker that misbehaves; the node is real MicroPython."""

import pytest

import checks_link
from node_runner import Node
from odd_broker import CONNECT, PUBLISH, SUBSCRIBE, OddBroker
from portable import checks_of, run_on_micropython

QUICK = {"backoff_ms_min": 20, "backoff_ms_max": 60, "group_ms": 60000}
RESUMED = b"\x20\x02\x01\x00"


@pytest.mark.parametrize("check", checks_of(checks_link))
def test_link_parts(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_link_parts_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_link, tmp_path)


def run(micropython, broker, tmp_path, **options):
    options = {"run_ms": 30000, "frames": 6, **QUICK, **options}
    node = Node(micropython, broker.port, tmp_path / "flash", **options)
    return node.wait(), node.text()


@pytest.mark.micropython
@pytest.mark.parametrize(
    ("how", "limits", "reason"),
    [
        ({"connack": None}, {"connack_ms": 200}, "no answer in time"),
        ({"suback": None}, {"suback_ms": 200}, "no answer in time"),
        ({"puback": False}, {"puback_ms": 200}, "no PUBACK in time"),
        ({"pingresp": False}, {"pingresp_ms": 200, "keepalive_s": 1}, "no PINGRESP in time"),
        ({"connack": b"\x20\x02\x00\x03"}, {}, "the broker is not available (CONNACK 3)"),
        ({"connack": b"\x20\x02\x00\x63"}, {}, "unknown reason (CONNACK 99)"),
        ({"connack": b"\xd0\x00"}, {}, "first packet is no CONNACK"),
        ({"inject": b"\x20\x02\x00\x00"}, {}, "a second CONNACK"),
        ({"inject": b"\x34\x05\x00\x01a\x00\x01"}, {}, "PUBLISH with QoS 2"),
        ({"inject": b"\x90\x03\x77\x77\x01"}, {}, "a SUBACK nobody asked for"),
        ({"inject": b"\xf0\x00"}, {}, "packet type 15"),
        ({"close_after": 3}, {}, "the broker closed the connection"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_ends_the_connection_is_named_and_the_next_is_made(
    micropython, tmp_path, how, limits, reason
):
    with OddBroker(how) as broker:
        counts, text = run(micropython, broker, tmp_path, failures=2, **limits)
    assert reason in text.partition("raffinate error link: ")[2]
    assert counts["failures"] >= 2
    assert len(broker.connections) >= 2
    assert "error task" not in text


@pytest.mark.micropython
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"connack": b"\x20\x02\x00\x04"}, "wrong user or password (CONNACK 4)"),
        ({"connack": b"\x20\x02\x00\x05"}, "not authorised (CONNACK 5)"),
        ({"suback": 0x80}, "refused a subscription"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_for_good_is_named_and_tried_rarely(micropython, tmp_path, how, reason):
    # The pause after a refusal is half the largest backoff at least: longer than this run.
    with OddBroker(how) as broker:
        counts, text = run(micropython, broker, tmp_path, backoff_ms_max=20000, run_ms=2000)
    assert reason in text
    assert counts["failures"] == 1
    assert len(broker.connections) == 1


@pytest.mark.micropython
def test_a_resumed_session_gets_the_same_ids_with_dup_first(micropython, tmp_path):
    first = {"puback": False, "close_after": 4}
    with OddBroker(first, {"connack": RESUMED}) as broker:
        counts, _ = run(micropython, broker, tmp_path, pubacked=7)
    before = broker.publishes(0)
    assert len(before) == 3
    again = broker.publishes(1)[:3]
    assert [(key, topic, data) for key, _, topic, data in again] == [
        (key, topic, data) for key, _, topic, data in before
    ]
    assert all(dup for _, dup, _, _ in again)
    assert not any(dup for _, dup, _, _ in before)
    # The status was in flight too; nothing else goes before, and no subscription.
    kinds = broker.kinds(1)
    assert kinds[0] == CONNECT
    assert SUBSCRIBE not in kinds
    assert kinds[1:5] == [PUBLISH] * 4
    assert counts["resumes"] == 1
    assert counts["sent_dup"] == 4
    assert len({key for key, dup, _, _ in broker.publishes(1)}) == 6


@pytest.mark.micropython
def test_a_lost_session_is_subscribed_anew_and_everything_sent_anew(micropython, tmp_path):
    first = {"puback": True, "close_after": 5}
    with OddBroker(first, {}) as broker:
        counts, _ = run(micropython, broker, tmp_path, pubacked=5 + 7)
    assert SUBSCRIBE in broker.kinds(1)
    payloads = [data for _, _, _, data in broker.publishes(1)]
    assert [int(data.split()[2]) for data in payloads[:6]] == [0, 1, 2, 3, 4, 5]
    assert not any(dup for _, dup, _, _ in broker.publishes(1))
    assert counts["resumes"] == 0


@pytest.mark.micropython
def test_unknown_pubacks_are_counted_and_harmless(micropython, tmp_path):
    with OddBroker({"inject": b"\x40\x02\x7b\x00\x40\x02\x7b\x01"}) as broker:
        counts, _ = run(micropython, broker, tmp_path, pubacked=7)
    assert counts["pubacks_unknown"] == 2
    assert counts["failures"] == 0
    assert len(broker.publishes(0)) == 6


@pytest.mark.micropython
def test_the_window_bounds_what_is_in_flight(micropython, tmp_path):
    with OddBroker({"puback": False}) as broker:
        run(micropython, broker, tmp_path, window=4, frames=20, run_ms=1500)
    assert broker.kinds(0).count(PUBLISH) == 4


@pytest.mark.micropython
def test_more_inbound_messages_than_places_for_their_pubacks(micropython, tmp_path):
    topic = b"raffinate/1/ndpr/n01/cmd"
    inject = b""
    for number in range(1, 301):
        body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + b"junk"
        inject += b"\x32" + bytes((len(body),)) + body
    with OddBroker({"inject": inject}) as broker:
        counts, _ = run(micropython, broker, tmp_path, run_ms=3000)
    acknowledged = [
        int.from_bytes(body, "big") for first, body in broker.connections[0] if first == 0x40
    ]
    assert acknowledged == list(range(1, 301))
    assert counts["commands_refused"] == 300
    assert counts["failures"] == 0


def test_the_link_runs_on_cpython_too(tmp_path):
    with OddBroker({"puback": False, "close_after": 4}, {"connack": RESUMED}) as broker:
        counts, _ = run(None, broker, tmp_path, pubacked=7)
    assert counts["sent_dup"] == 4
    assert counts["resumes"] == 1
