"""The state of the gateway's parts for API and page: `web.health_shape.Health`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from raffinate.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.archive import FrameArchive
    from raffinate.config import Config
    from raffinate.ingest.mqtt import MqttSession
    from raffinate.ingest.state import IngestState
    from raffinate.series.embedded import EmbeddedSeries
    from raffinate.series.projector import Projection
    from raffinate.web.health_shape import (
        Health,
        InfluxHealth,
        IngestHealth,
        NodeHealth,
        SeriesHealth,
    )

BEHIND_FRAMES = 1000
QUARANTINE_SHOWN_MS = 3_600_000
InfluxWord = Literal["ok", "behind", "down", "refused"]
_INFLUX_STATES: dict[str, InfluxWord] = {
    "waiting": "down",
    "storage-full": "down",
    "refusing": "refused",
}


class HealthView:
    """Called from any thread; every value is read from the part that owns it."""

    def __init__(
        self,
        config: Config,
        session: MqttSession,
        ingest: IngestState,
        archive: FrameArchive,
        series: EmbeddedSeries,
        projections: dict[str, Projection],
        time_ms: Callable[[], int],
    ) -> None:
        self._config = config
        self._session = session
        self._ingest = ingest
        self._archive = archive
        self._series = series
        self._projections = projections
        self._time_ms = time_ms

    def __call__(self) -> Health:
        """The state now."""
        state, detail = self._session.state()
        storage = self._config.storage
        health: Health = {
            "time_ms": self._time_ms(),
            "broker": {"state": state, "detail": detail},
            "ingest": self._ingest_health(),
            "archive": {
                "bytes": self._archive.bytes_used(),
                "bytes_max": storage.archive_bytes_max,
            },
            "series": self._series_health(),
            "influx": self._influx_health(),
            "nodes": self._nodes(),
            "warnings": [],
        }
        health["warnings"] = self._warnings(health)
        return health

    def _ingest_health(self) -> IngestHealth:
        ingest = self._ingest
        if not ingest.running:
            return {"state": "stopped", "detail": "the gateway is ending", "queue": ingest.queue}
        return {
            "state": "storage-full" if ingest.full else "ok",
            "detail": ingest.detail,
            "queue": ingest.queue,
        }

    def _series_health(self) -> SeriesHealth:
        return {
            "bytes": self._series.bytes_used(),
            "bytes_max": self._config.storage.series_bytes_max,
            "lag": self._projections["series"].state().lag,
        }

    def _influx_health(self) -> InfluxHealth | None:
        projection = self._projections.get("influx")
        if projection is None:
            return None
        found = projection.state()
        behind: InfluxWord = "behind" if found.lag > BEHIND_FRAMES else "ok"
        return {
            "state": _INFLUX_STATES.get(found.state, behind),
            "detail": found.detail,
            "lag": found.lag,
            "quarantined": found.quarantined,
        }

    def _nodes(self) -> list[NodeHealth]:
        return [
            {
                "node": name,
                "online": node.online,
                "last_frame_ms": node.last_frame_ms,
                "frames": node.frames,
                "rejected": node.rejected,
                "findings": list(node.findings),
            }
            for name, node in self._ingest.nodes.items()
        ]

    def _warnings(self, health: Health) -> list[str]:
        storage = self._config.storage
        warnings = [
            text for text in (health["broker"]["detail"], health["ingest"]["detail"]) if text
        ]
        used, limit = health["archive"]["bytes"], health["archive"]["bytes_max"]
        if used * 100 >= limit * storage.warn_percent:
            warnings.append(
                f"the archive has {format_size(used)} of {format_size(limit)}; at its limit the "
                "gateway stops acknowledging and nodes keep their data: raise "
                "storage.archive_bytes_max"
            )
        used, limit = health["series"]["bytes"], health["series"]["bytes_max"]
        if used * 100 >= limit * storage.warn_percent:
            warnings.append(
                f"the series store has {format_size(used)} of {format_size(limit)}; at its limit "
                "the oldest history goes from it (not from the archive): raise "
                "storage.series_bytes_max"
            )
        series = self._projections["series"].state()
        if series.state == "storage-full":
            warnings.append(f"the series store takes nothing: {series.detail}")
        last = self._ingest.last_quarantined
        if last is not None and health["time_ms"] - last.received_ms < QUARANTINE_SHOWN_MS:
            count = self._ingest.quarantined.total()
            warnings.append(
                f"{count} messages were put into quarantine since the start; the last came on "
                f"{last.source}: {last.reason}"
            )
        warnings += self._disk_warning()
        return warnings

    def _disk_warning(self) -> list[str]:
        storage = self._config.storage
        disk = os.statvfs(storage.data)
        free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if (size - free) * 100 < size * storage.warn_percent:
            return []
        text = (
            f"the disk of {storage.data} has {format_size(free)} of {format_size(size)} free; "
            f"below {format_size(storage.disk_free_bytes_min)} the gateway stops acknowledging, "
            "and nodes keep their data"
        )
        return [text]
