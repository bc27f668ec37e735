"""Prometheus metrics, read from the parts' own counters when they are scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from prometheus_client.metrics_core import Metric

    from raffinate.ingest.state import IngestState


def make_registry(
    ingest: IngestState,
    health: Callable[[], Mapping[str, Any]],
    dropped: Callable[[], int],
    evidence: Callable[[], Mapping[str, Any]],
) -> CollectorRegistry:
    """A registry of one gateway; nothing of it is global."""
    registry = CollectorRegistry()
    registry.register(_Collector(ingest, health, dropped, evidence))
    return registry


class _Collector(Collector):
    def __init__(
        self,
        ingest: IngestState,
        health: Callable[[], Mapping[str, Any]],
        dropped: Callable[[], int],
        evidence: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._ingest = ingest
        self._health = health
        self._dropped = dropped
        self._evidence = evidence

    def describe(self) -> Iterable[Metric]:
        """Nothing: names follow from `collect`."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All metrics, of this moment."""
        ingest, health = self._ingest, self._health()
        yield from (
            _counter("frames", "Frames archived.", ingest.frames),
            _counter("samples", "Samples in them.", ingest.samples),
            _counter("duplicates", "Frames that came again.", ingest.duplicates),
            _counter("pending_dropped", "Frames of keys not enrolled.", ingest.pending_dropped),
            _counter("publish_dropped", "Messages to nodes without a broker.", self._dropped()),
            _gauge("ingest_queue", "Messages waiting for their commit.", ingest.queue),
            _gauge("ingest_ok", "0 while a store is full.", not ingest.full),
            _gauge(
                "broker_connected",
                "Whether the broker session is up.",
                health["broker"]["state"] == "connected",
            ),
        )
        yield _counters("rejected", "Frames rejected.", "reason", ingest.rejections)
        yield _counters("quarantined", "Messages in quarantine.", "reason", ingest.quarantined)
        yield _counters("findings", "Oddities stored with frames.", "code", ingest.findings)
        yield from self._stores(health)
        online = GaugeMetricFamily("raffinate_node_online", "As its status says.", labels=["node"])
        last = GaugeMetricFamily(
            "raffinate_node_last_frame_seconds", "When its last frame came.", labels=["node"]
        )
        for name, node in ingest.nodes.items():
            if node.online is not None:
                online.add_metric([name], node.online)
            if node.last_frame_ms is not None:
                last.add_metric([name], node.last_frame_ms / 1000)
        yield online
        yield last
        yield from _anchors(self._evidence())

    @staticmethod
    def _stores(health: Mapping[str, Any]) -> Iterable[Metric]:
        size = GaugeMetricFamily("raffinate_store_bytes", "Size on disk.", labels=["store"])
        limit = GaugeMetricFamily("raffinate_store_bytes_max", "Its limit.", labels=["store"])
        lag = GaugeMetricFamily(
            "raffinate_projection_lag_frames", "Frames not yet projected.", labels=["store"]
        )
        for name in ("archive", "series"):
            size.add_metric([name], health[name]["bytes"])
            limit.add_metric([name], health[name]["bytes_max"])
        for name in ("series", "influx"):
            if health[name] is not None:
                lag.add_metric([name], health[name]["lag"])
        yield from (size, limit, lag)


def _anchors(evidence: Mapping[str, Any]) -> Iterable[Metric]:
    """The log, and what each witness and timestamp server vouched for."""
    head = evidence["log"]
    if head is not None:
        yield _gauge("log_size", "Entries in the transparency log.", head["size"])
    families = {
        name: GaugeMetricFamily(f"raffinate_{name}", text, labels=["source"])
        for name, text in (
            ("anchor_size", "Size of the log that it vouched for last."),
            ("anchor_time_seconds", "When it did, by its own clock."),
            ("anchor_unwitnessed_entries", "Entries since."),
            ("anchor_unwitnessed_seconds", "How long the oldest of them has waited."),
            ("anchor_refused", "1 when what it saw contradicts this log."),
        )
    }
    for item in evidence["anchors"]:
        values = {
            "anchor_size": item["size"],
            "anchor_time_seconds": None if item["time_ms"] is None else item["time_ms"] / 1000,
            "anchor_unwitnessed_entries": item["unwitnessed"],
            "anchor_unwitnessed_seconds": item["unwitnessed_ms"] / 1000,
            "anchor_refused": item["state"] == "refused",
        }
        for name, value in values.items():
            if value is not None:
                families[name].add_metric([item["source"]], float(value))
    yield from families.values()


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"raffinate_{name}", text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"raffinate_{name}", text, labels=[label])
    # the ingest thread may add a label meanwhile
    for value, count in sorted(dict(values).items()):
        family.add_metric([value], count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"raffinate_{name}", text, value=float(value))
