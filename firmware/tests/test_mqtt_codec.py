from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import checks_mqtt
from mqtt_vectors import GOOD
from portable import checks_of, run_on_micropython
from raffinate_node import mqtt_codec
from raffinate_node.mqtt_codec import TOPIC_BYTES_MAX, Decoder, MqttError


@pytest.mark.parametrize("check", checks_of(checks_mqtt))
def test_codec(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_codec_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_mqtt, tmp_path)


topics = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00+#"), min_size=1, max_size=60
).filter(lambda text: len(text.encode()) <= TOPIC_BYTES_MAX)


@given(topics, st.binary(max_size=600), st.integers(1, 65535), st.booleans(), st.booleans())
def test_a_publish_comes_back_as_it_was_sent(topic, payload, packet_id, dup, retain):
    head = mqtt_codec.encode_publish_head(topic.encode(), len(payload), packet_id, dup, retain)
    (event,) = Decoder(1024).feed(head + payload)
    assert (event.topic, event.payload, event.packet_id) == (topic, payload, packet_id)
    assert (event.dup, event.retain, event.qos) == (dup, retain, 1)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_give_events_or_the_one_error_however_they_are_cut(data, cuts):
    def decode(pieces):
        decoder = Decoder(256)
        events = []
        try:
            for piece in pieces:
                events += [checks_mqtt.members(event) for event in decoder.feed(piece)]
        except MqttError:
            return None
        return events

    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert decode(pieces) == decode([data])


@given(st.data())
def test_a_changed_octet_of_a_good_packet_is_another_packet_or_the_one_error(data):
    _, packet, _ = data.draw(st.sampled_from(GOOD))
    at = data.draw(st.integers(0, len(packet) - 1))
    changed = packet[:at] + bytes((data.draw(st.integers(0, 255)),)) + packet[at + 1 :]
    try:
        for event in Decoder(256).feed(changed):
            assert event.packet_id is None or 0 < event.packet_id < 65536
            assert event.payload is None or len(event.payload) <= len(changed)
    except MqttError:
        pass
