"""What the gateway is told beside the plant itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from raffinate.model import Plant


@dataclass(frozen=True, slots=True)
class Listen:
    """Where API and page are served; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Broker:
    """The MQTT broker."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    keepalive_s: int


@dataclass(frozen=True, slots=True)
class Storage:
    """Folders and limits; `warn_percent` of a limit is where the gateway begins to warn."""

    data: Path
    keys: Path
    archive_bytes_max: int
    quarantine_bytes_max: int
    series_bytes_max: int
    disk_free_bytes_min: int
    warn_percent: int


@dataclass(frozen=True, slots=True)
class Influx:
    """An InfluxDB; version 1 has database, user, password, the others org, bucket, token."""

    url: str
    version: Literal["1", "2", "3"]
    org: str | None
    bucket: str | None
    token: str | None = field(repr=False)
    database: str | None
    user: str | None
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns checkpoints: verifier key (its name in front), address or None for a stick."""

    name: str
    key: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Timestamps:
    """An RFC 3161 server; `ca` has the certificates its tokens must lead to, PEM."""

    url: str
    ca: Path
    interval_s: int


@dataclass(frozen=True, slots=True)
class Anchors:
    """What bounds the log's time from outside; asked and logged at most this often."""

    interval_s: int
    log_s: int
    witnesses: tuple[Witness, ...]
    timestamps: Timestamps | None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole plant folder, checked; paths are absolute."""

    file: Path
    plant: Plant
    listen: Listen
    broker: Broker
    storage: Storage
    influx: Influx | None
    anchors: Anchors
    boards: Mapping[str, Mapping[str, object]]
    """node.json members of each node that come from its own table alone."""
    calibration: Mapping[str, Mapping[str, object]]
    close_hour_utc: int | None = None
    """Hour at which each day of the log is closed; None: only by command."""
    policy: Path | None = None
    """A copy of the auditor's policy: whom to believe about documents; None: nobody."""

    @property
    def folder(self) -> Path:
        """The plant folder."""
        return self.file.parent

    @property
    def licences(self) -> Path:
        """Folder of the licence files."""
        return self.folder / "licences"
