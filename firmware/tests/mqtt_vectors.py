"""MQTT 3.1.1 packets a server may send, and bytes it may not; one list for every Python.

Written by hand from the standard's chapters 2 and 3.
"""

# Each: a name, the bytes, and the members of the event in the order of checks_mqtt.MEMBERS.
GOOD = (
    ("connack-new", b"\x20\x02\x00\x00", (2, None, "", b"", 0, False, False, False, 0)),
    ("connack-resumed", b"\x20\x02\x01\x00", (2, None, "", b"", 0, False, False, True, 0)),
    ("connack-refused", b"\x20\x02\x00\x05", (2, None, "", b"", 0, False, False, False, 5)),
    ("puback", b"\x40\x02\x12\x34", (4, 0x1234, "", b"", 0, False, False, False, 0)),
    ("suback", b"\x90\x04\x00\x01\x01\x80", (9, 1, "", b"\x01\x80", 0, False, False, False, 0)),
    ("pingresp", b"\xd0\x00", (13, None, "", b"", 0, False, False, False, 0)),
    ("publish-0", b"\x30\x05\x00\x01ahi", (3, None, "a", b"hi", 0, False, False, False, 0)),
    (
        "publish-1",
        b"\x32\x09\x00\x03a/b\x00\x0ahi",
        (3, 10, "a/b", b"hi", 1, False, False, False, 0),
    ),
    ("publish-dup-retain", b"\x3b\x05\x00\x01a\xff\xff", (3, 65535, "a", b"", 1, 1, 1, False, 0)),
    ("publish-utf8", b"\x30\x06\x00\x02\xc3\xa9ab", (3, None, "é", b"ab", 0, 0, 0, False, 0)),
    (
        "publish-two-length-octets",
        b"\x30\x83\x01\x00\x01a" + b"z" * 128,
        (3, None, "a", b"z" * 128, 0, 0, 0, False, 0),
    ),
)

BAD = (
    ("length-of-five-octets", b"\x30\xff\xff\xff\xff\x01"),
    ("length-not-shortest", b"\xd0\x80\x00"),
    ("connack-flags", b"\x20\x02\x02\x00"),
    ("connack-present-and-refused", b"\x20\x02\x01\x05"),
    ("connack-short", b"\x20\x01\x00"),
    ("connack-long", b"\x20\x03\x00\x00\x00"),
    ("connack-reserved-flags", b"\x21\x02\x00\x00"),
    ("puback-id-0", b"\x40\x02\x00\x00"),
    ("puback-short", b"\x40\x01\x01"),
    ("suback-without-codes", b"\x90\x02\x00\x01"),
    ("pingresp-with-body", b"\xd0\x01\x00"),
    ("publish-qos-2", b"\x34\x05\x00\x01a\x00\x01"),
    ("publish-qos-3", b"\x36\x05\x00\x01a\x00\x01"),
    ("publish-dup-at-qos-0", b"\x38\x03\x00\x01a"),
    ("publish-id-0", b"\x32\x05\x00\x01a\x00\x00"),
    ("publish-empty-topic", b"\x30\x02\x00\x00"),
    ("publish-topic-past-the-end", b"\x30\x03\x00\x09a"),
    ("publish-id-past-the-end", b"\x32\x04\x00\x01a\x00"),
    ("publish-too-short", b"\x30\x01\x00"),
    ("publish-wildcard", b"\x30\x03\x00\x01#"),
    ("publish-nul", b"\x30\x03\x00\x01\x00"),
    ("publish-topic-not-utf8", b"\x30\x03\x00\x01\xff"),
    ("publish-topic-too-long", b"\x30\xc8\x01\x00\xc1" + b"t" * 198),
    ("pubrec", b"\x50\x02\x00\x01"),
    ("connect", b"\x10\x00"),
    ("disconnect", b"\xe0\x00"),
    ("reserved-0", b"\x00\x00"),
    ("reserved-15", b"\xf0\x00"),
    ("oversize-suback", b"\x90\xff\x7f"),
)
