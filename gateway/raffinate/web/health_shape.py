"""What `health()` returns: the state of the gateway's parts, JSON-ready, read from any thread.

Texts in `detail`, `findings` and `warnings` are shown to the operator as they are: a sentence
that says what is wrong and what to do, or "" where there is nothing to say.
"""

from __future__ import annotations

from typing import Literal

# pydantic, which describes these in OpenAPI, needs typing_extensions before Python 3.12.
from typing_extensions import TypedDict


class BrokerHealth(TypedDict):
    """The MQTT session; `kicked`: another client took this gateway's name, and it is not fought."""

    state: Literal["connected", "connecting", "refused", "kicked"]
    detail: str


class IngestHealth(TypedDict):
    """The ingest worker; `queue` is how many messages wait for their commit.

    `storage-full`: nothing is acknowledged until there is room, and nodes keep their data.
    """

    state: Literal["ok", "storage-full", "stopped"]
    detail: str
    queue: int


class ArchiveHealth(TypedDict):
    """Frames on disk; at `bytes_max` the gateway stops acknowledging."""

    bytes: int
    bytes_max: int


class SeriesHealth(TypedDict):
    """The embedded series store; `lag` is how many archived frames it has yet to take."""

    bytes: int
    bytes_max: int
    lag: int


class InfluxHealth(TypedDict):
    """The InfluxDB writer; `lag` in frames; `quarantined` counts lines the server refused."""

    state: Literal["ok", "behind", "down", "refused"]
    detail: str
    lag: int
    quarantined: int


class NodeHealth(TypedDict):
    """One node since the gateway's start; `online` is None until its first status message."""

    node: str
    online: bool | None
    last_frame_ms: int | None
    frames: int
    rejected: int
    findings: list[str]


class Health(TypedDict):
    """The whole; `time_ms` is the gateway's UTC clock, against which the page measures ages."""

    time_ms: int
    broker: BrokerHealth
    ingest: IngestHealth
    archive: ArchiveHealth
    series: SeriesHealth
    influx: InfluxHealth | None
    nodes: list[NodeHealth]
    warnings: list[str]
