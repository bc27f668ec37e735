"""A broker that misbehaves as told: what no real broker can be made to do."""

import socket
import threading
from contextlib import suppress

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ = 1, 3, 4, 8, 12


class OddBroker:
    """Takes one connection after another; `script` gives the behaviour of each, the last for all.

    A behaviour is a dict: connack (bytes or None), suback (code, or None for silence), puback
    (bool), pingresp (bool), inject (bytes sent after the SUBACK or, on resume, the CONNACK),
    close_after (publishes).
    """

    def __init__(self, *script):
        self._script = script
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.connections = []
        self._open = []
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        for one in (self._server, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        for one in (self._server, *self._open):
            one.close()

    def kinds(self, connection):
        """The packet types that came over a connection, in order."""
        return [packet[0] >> 4 for packet in self.connections[connection]]

    def publishes(self, connection):
        """(packet id, dup, topic, payload) of each PUBLISH of a connection, the status left out."""
        found = []
        for first, body in self.connections[connection]:
            if first >> 4 == PUBLISH:
                end = 2 + int.from_bytes(body[:2], "big")
                topic = body[2:end].decode()
                if not topic.endswith("/status"):
                    packet_id = int.from_bytes(body[end : end + 2], "big")
                    found.append((packet_id, bool(first & 8), topic, bytes(body[end + 2 :])))
        return found

    def _serve(self):
        while not self._stopping:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self._open.append(peer)
            number = min(len(self.connections), len(self._script) - 1)
            packets = []
            self.connections.append(packets)
            with suppress(OSError):
                self._talk(peer, self._script[number], packets)
            peer.close()

    def _talk(self, peer, how, packets):
        stream = peer.makefile("rb")
        publishes = 0
        while not self._stopping:
            packet = _read_packet(stream)
            if packet is None:
                return
            packets.append(packet)
            first, body = packet
            kind = first >> 4
            if kind == CONNECT:
                connack = how.get("connack", b"\x20\x02\x00\x00")
                if connack is not None:
                    resumed = how.get("inject", b"") if connack[2:3] == b"\x01" else b""
                    peer.sendall(connack + resumed)
            elif kind == SUBSCRIBE and how.get("suback", 1) is not None:
                codes = bytes((how.get("suback", 1),)) * 5
                peer.sendall(b"\x90\x07" + body[:2] + codes + how.get("inject", b""))
            elif kind == PINGREQ and how.get("pingresp", True):
                peer.sendall(b"\xd0\x00")
            elif kind == PUBLISH:
                publishes += 1
                end = 2 + int.from_bytes(body[:2], "big")
                if how.get("puback", True):
                    peer.sendall(b"\x40\x02" + body[end : end + 2])
                if publishes == how.get("close_after"):
                    return


def _read_packet(stream):
    first = stream.read(1)
    if not first:
        return None
    length, shift = 0, 0
    while True:
        octet = stream.read(1)
        if not octet:
            return None
        length |= (octet[0] & 0x7F) << shift
        shift += 7
        if not octet[0] & 0x80:
            break
    body = stream.read(length)
    return (first[0], body) if len(body) == length else None
