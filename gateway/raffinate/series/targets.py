"""Where an InfluxDB projection writes, and how writing fails; the client is loaded when opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from raffinate.config import Influx


class InfluxUnavailableError(Exception):
    """The server did not take the lines and may do so later; `remedy` says what a person can do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


class InfluxRefusedError(Exception):
    """The server will never take at least one of these lines (its words are the message)."""


class InfluxTooLargeError(Exception):
    """The body is larger than the server takes; send fewer lines at once."""


class InfluxTarget(Protocol):
    """Where lines go. Writing the same lines again changes nothing."""

    def write(self, lines: bytes) -> None:
        """Write line protocol with times in ms; what returned is in the server's write-ahead log.

        Raises InfluxUnavailableError, InfluxRefusedError or InfluxTooLargeError.
        """

    def close(self) -> None:
        """Close connections."""


def open_target(influx: Influx) -> InfluxTarget:
    """The write path for the configured version."""
    # influxdb-client and httpx take the better part of a second to import.
    from raffinate.series.influx import target  # noqa: PLC0415

    return target(influx)
