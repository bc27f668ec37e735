"""A TCP stream as the link needs it, over asyncio streams of MicroPython or CPython.

The seam for TLS: the link takes any `opener(host, port)` whose awaited result has these methods.
"""

import asyncio
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EINPROGRESS = (115, 119)
IPPROTO_TCP, TCP_NODELAY = 6, 1


class Stream:
    """Bytes both ways; every OSError means that the stream is gone."""

    def __init__(self, reader: "Any", writer: "Any") -> None:
        self._reader = reader
        self._writer = writer
        self._readinto = getattr(reader, "readinto", None)

    async def readinto(self, view: memoryview) -> int:
        """Wait for bytes and put them at the start of view; 0 means that the peer closed."""
        if self._readinto is not None:
            n = await self._readinto(view)
            return n or 0
        data = await self._reader.read(len(view))
        view[: len(data)] = data
        return len(data)

    async def write(self, data: "bytes | memoryview") -> None:
        """Hand all of data to the network's buffers."""
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """Close; never raises."""
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            pass


async def open_stream(host: str, port: int) -> Stream:
    """Connect; raise OSError. The caller sets the deadline and cancels when it passes.

    On MicroPython a host name is looked up by the port's own blocking getaddrinfo, whose time the
    deadline counts but cannot cut short; a numeric address needs no look-up.
    """
    if sys.implementation.name != "micropython":
        return Stream(*await asyncio.open_connection(host, port))
    # asyncio.open_connection leaks its socket when it is cancelled, and sockets of the Unix port
    # are not closed by the garbage collector.
    info = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    sock: Any = socket.socket(info[0], info[1], info[2])
    try:
        sock.setblocking(False)
        try:
            # A frame is written in chunks: none may wait for the peer's delayed acknowledgement.
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        except (OSError, ValueError, NotImplementedError):
            pass  # a port without it is slower, not wrong
        try:
            sock.connect(info[-1])
        except OSError as error:
            if error.errno not in EINPROGRESS:
                raise
        core: Any = asyncio.core  # type: ignore[attr-defined]
        await _writable(core, sock)
    except BaseException:
        sock.close()
        raise
    # MicroPython's StreamReader is a stream both ways over any socket.
    stream: Any = asyncio.StreamReader(sock)
    return Stream(stream, stream)


def _writable(core: "Any", sock: "Any") -> "Any":
    yield core._io_queue.queue_write(sock)  # noqa: SLF001 - the one way to wait for a connect
