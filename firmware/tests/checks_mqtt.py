"""Checks of the MQTT codec, on any Python: each vector whole, byte at a time, and with a tail."""

from mqtt_vectors import BAD, GOOD
from raffinate_node import mqtt_codec
from raffinate_node.mqtt_codec import Decoder, MqttError

MEMBERS = (
    "kind",
    "packet_id",
    "topic",
    "payload",
    "qos",
    "dup",
    "retain",
    "session_present",
    "code",
)


def members(event):
    return tuple(getattr(event, name) for name in MEMBERS)


def check_good_vectors_whole_and_byte_at_a_time(_):
    for name, data, expected in GOOD:
        assert [members(event) for event in Decoder(512).feed(data)] == [expected], name
        decoder = Decoder(512)
        events = []
        for i in range(len(data)):
            assert events == [], name
            events += decoder.feed(data[i : i + 1])
        assert [members(event) for event in events] == [expected], name


def check_packets_that_follow_each_other(_):
    stream = b"".join([data for _, data, _ in GOOD])
    expected = [values for _, _, values in GOOD]
    for step in (1, 2, 3, 7, 64, len(stream)):
        decoder = Decoder(256)
        events = []
        for at in range(0, len(stream), step):
            events += decoder.feed(stream[at : at + step])
        assert [members(event) for event in events] == expected, step


def check_bad_vectors(_):
    for name, data in BAD:
        for step in (1, len(data)):
            decoder = Decoder(512)
            try:
                for at in range(0, len(data), step):
                    decoder.feed(data[at : at + step])
            except MqttError:
                continue
            raise AssertionError(name)


def check_an_oversize_publish_is_skipped_and_can_be_acknowledged(_):
    big = b"\x32\x90\x4e\x00\x03a/b\x00\x07" + b"q" * 9993
    after = b"\x40\x02\x00\x09"
    for step in (1, 100, 255, 20000):
        decoder = Decoder(256)
        events = []
        stream = big + after
        for at in range(0, len(stream), step):
            events += decoder.feed(stream[at : at + step])
        assert [event.kind for event in events] == [3, 4], step
        assert events[0].payload is None
        assert (events[0].topic, events[0].packet_id, events[0].qos) == ("a/b", 7, 1)
        assert decoder.oversize_count == 1


def check_the_largest_packet_that_fits(_):
    decoder = Decoder(256)
    fits = b"\x30\xfd\x01\x00\x01a" + b"p" * 250
    assert len(fits) == 256
    events = decoder.feed(fits + b"\xd0\x00")
    assert len(events[0].payload) == 250
    assert events[1].kind == mqtt_codec.PINGRESP
    events = decoder.feed(b"\x30\xfe\x01\x00\x01a" + b"p" * 251)
    assert events[0].payload is None


def check_reset_forgets_half_a_packet(_):
    decoder = Decoder(256)
    assert decoder.feed(b"\x32\x90\x4e\x00\x03a/b\x00\x07qqq") == []
    decoder.reset()
    assert decoder.feed(b"\xd0\x00")[0].kind == mqtt_codec.PINGRESP
    assert decoder.feed(b"\x30\x05\x00") == []
    decoder.reset()
    assert decoder.feed(b"\xd0\x00")[0].kind == mqtt_codec.PINGRESP


def check_client_packets(_):
    connect = mqtt_codec.encode_connect("n", 30)
    assert connect == b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x1e\x00\x01n"
    connect = mqtt_codec.encode_connect("n", 60, "u", "p", ("t", b"w"))
    assert connect == (
        b"\x10\x19\x00\x04MQTT\x04\xec\x00\x3c\x00\x01n\x00\x01t\x00\x01w\x00\x01u\x00\x01p"
    )
    assert mqtt_codec.encode_connect("n", 1, "u")[9:10] == b"\x80"
    subscribe = mqtt_codec.encode_subscribe(7, ["a/+", "b"])
    assert subscribe == b"\x82\x0c\x00\x07\x00\x03a/+\x01\x00\x01b\x01"
    assert mqtt_codec.encode_puback(0x1234) == b"\x40\x02\x12\x34"
    head = mqtt_codec.encode_publish_head
    assert head(b"t", 2, 9) == b"\x32\x07\x00\x01t\x00\x09"
    assert head(b"t", 2, 9, True, False) == b"\x3a\x07\x00\x01t\x00\x09"
    assert head(b"t", 0, 9, True, True) == b"\x3b\x05\x00\x01t\x00\x09"
    assert head(b"t", 16384, 1)[:4] == b"\x32\x85\x80\x01"


def check_remaining_length_table(_):
    # the standard's table 2.4
    for number, octets in (
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\x01"),
        (2097151, b"\xff\xff\x7f"),
        (2097152, b"\x80\x80\x80\x01"),
        (268435455, b"\xff\xff\xff\x7f"),
    ):
        assert mqtt_codec.encode_remaining(number) == octets
    for number in (-1, 268435456):
        try:
            mqtt_codec.encode_remaining(number)
        except ValueError:
            continue
        raise AssertionError(number)


def check_encoder_limits(_):
    for call in (
        lambda: mqtt_codec.encode_publish_head(b"t" * 193, 1, 1),
        lambda: mqtt_codec.encode_publish_head(b"t", 268435455, 1),
        lambda: mqtt_codec.encode_connect("n" * 65536, 1),
        lambda: Decoder(100),
    ):
        try:
            call()
        except ValueError:
            continue
        raise AssertionError("a limit was passed")
