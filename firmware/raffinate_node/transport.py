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
    """Bytes both ways over CPython's streams; every OSError means that the stream is gone."""

    def __init__(self, reader: "Any", writer: "Any") -> None:
        self._reader = reader
        self._writer = writer

    async def readinto(self, view: memoryview) -> int:
        """Wait for bytes and put them at the start of view; 0 means that the peer closed."""
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


class SocketStream:
    """The same over MicroPython's socket, without the streams' own buffers and their module."""

    def __init__(self, sock: "Any") -> None:
        self._sock = sock

    async def readinto(self, view: memoryview) -> int:
        """As Stream."""
        while True:
            await _readable(self._sock)
            n = self._sock.readinto(view)
            if n is not None:
                return int(n)

    async def write(self, data: "bytes | memoryview") -> None:
        """As Stream."""
        left = memoryview(data)
        while left:
            n = self._sock.write(left)
            if n is None:
                await _writable(self._sock)
            elif n < len(left):
                left = left[n:]
            else:
                return

    async def close(self) -> None:
        """As Stream."""
        try:
            core: Any = asyncio.core  # type: ignore[attr-defined]
            core._io_queue.remove(self._sock)  # noqa: SLF001 - nobody else takes it out
            self._sock.close()
        except OSError:
            pass


async def open_stream(host: str, port: int) -> "Stream | SocketStream":
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
        await _writable(sock)
    except BaseException:
        sock.close()
        raise
    return SocketStream(sock)


def _readable(sock: "Any") -> "Any":
    core: Any = asyncio.core  # type: ignore[attr-defined]
    yield core._io_queue.queue_read(sock)  # noqa: SLF001 - what asyncio's streams wait with


def _writable(sock: "Any") -> "Any":
    core: Any = asyncio.core  # type: ignore[attr-defined]
    yield core._io_queue.queue_write(sock)  # noqa: SLF001 - the same
