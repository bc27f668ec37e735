"""The web server over providers with known data: the 16-stage La/Nd cascade, in known states.

Run it to look at the page: `python gateway/tests/page_server.py --scenario alarm --port 8080`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import math
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import CollectorRegistry, Gauge

import page_licences
from raffinate.model import Bucket, Equipment, Node, Plant, Point, Sample, Section, Stage
from raffinate.web import create_app
from raffinate.web.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fastapi import FastAPI

    from raffinate.web.evidence_shape import (
        AnchorState,
        EquipmentEvidence,
        EvidenceState,
        LastDenial,
        NodeEvidence,
    )
    from raffinate.web.health_shape import Health

_State = Literal[
    "compliant", "grace", "start-inhibit", "orderly-stop-requested", "bypass", "unknown"
]

START_MS = 1_795_255_200_000
CHECKPOINT = (
    "demo.example/raffinate/ndpr\n1204\nnwxRo3vi1gGMRPGyp9PmkFwbjneyDwTTOWxejRsH+mQ=\n\n"
    "\u2014 demo.example/raffinate/ndpr AAAAAAA=\n"
)
SCENARIOS = ("normal", "alarm", "stale", "empty", "licences")

# pH, conductivity in S/m, aqueous and organic flow in L/h of each stage; the cascade's base case.
_STAGES = {
    "e01": (1.85, 9.55, 1.1, 2.5),
    "e02": (1.77, 9.62, 1.1, 2.5),
    "e03": (1.75, 9.65, 1.1, 2.5),
    "e04": (1.74, 9.66, 1.1, 2.5),
    "e05": (1.73, 9.70, 1.1, 2.5),
    "e06": (1.63, 10.21, 1.1, 2.5),
    "s01": (1.57, 13.02, 0.1, 2.5),
    "s02": (1.54, 13.01, 0.1, 2.5),
    "s03": (1.51, 13.00, 0.1, 2.5),
    "s04": (1.48, 13.02, 0.1, 2.5),
    "s05": (1.44, 13.05, 0.1, 2.5),
    "s06": (1.00, 15.80, 0.1, 2.5),
    "t01": (0.24, 38.2, 0.25, 2.5),
    "t02": (0.05, 52.6, 0.25, 2.5),
    "t03": (-0.22, 60.3, 0.25, 2.5),
    "t04": (-0.41, 63.9, 0.25, 2.5),
}
_SECTIONS = {
    "e": ("extraction", "extraction", "Extraction"),
    "s": ("scrub", "scrub", "Scrub"),
    "t": ("strip", "strip", "Strip"),
}
_NODES = {
    "n01": ("e01", "e02", "e03", "e04"),
    "n02": ("e05", "e06", "s01", "s02"),
    "n03": ("s03", "s04", "s05", "s06"),
    "n04": ("t01", "t02", "t03", "t04"),
}
_BATTERIES = {
    "bat-ext": ("Extraction battery", "n01", "e", 0),
    "bat-scrub": ("Scrub battery", "n03", "s", 1),
    "bat-strip": ("Strip battery", "n04", "t", 2),
}


def make_plant() -> Plant:
    """The demo's plant: 6 extraction, 6 scrub and 4 strip stages on four nodes."""
    sections = tuple(
        Section(
            ident,
            kind,
            name,
            tuple(_stage(stage, ident) for stage in _STAGES if stage[0] == letter),
        )
        for letter, (ident, kind, name) in _SECTIONS.items()
    )
    stages = {stage.id: stage for section in sections for stage in section.stages}
    return Plant(
        site="ndpr",
        name="La/Nd cascade",
        note="bench scale, simulated",
        sections=sections,
        nodes={node: Node(node, "unix", served, 1000, 10) for node, served in _NODES.items()},
        equipment={
            ident: Equipment(
                ident,
                name,
                "Raffinate",
                "MS-6",
                f"MS6-{2041 + number}",
                node,
                tuple(stage for stage in _STAGES if stage[0] == letter),
                f"{letter}01/flow_aq",
                Path(f"equipment/{ident}.toml"),
                {"run": 100 + 4 * number},
            )
            for ident, (name, node, letter, number) in _BATTERIES.items()
        },
        stages=stages,
        points={point.id: point for stage in stages.values() for point in stage.points},
    )


def _stage(ident: str, section: str) -> Stage:
    node = next(node for node, served in _NODES.items() if ident in served)
    ph, cond, flow_aq, flow_org = _STAGES[ident]
    points = (
        _point(ident, "ph", "pH", (-1.0, 14.0), (ph - 0.12, ph + 0.12)),
        _point(ident, "cond", "S/m", (0.0, 100.0), (cond * 0.94, cond * 1.06)),
        _point(ident, "flow_aq", "l/s", (0.0, 0.01), _around(flow_aq / 3600, 0.1)),
        _point(ident, "flow_org", "l/s", (0.0, 0.01), _around(flow_org / 3600, 0.1)),
        _point(ident, "temp", "Cel", (0.0, 80.0), (24.0, 32.0)),
        _point(ident, "level", "/", (0.0, 1.0), (0.4, 0.6)),
    )
    return Stage(ident, section, node, points)


def _around(value: float, part: float) -> tuple[float, float]:
    return (value * (1 - part), value * (1 + part))


def _point(
    stage: str, name: str, unit: str, span: tuple[float, float], normal: tuple[float, float]
) -> Point:
    return Point(f"{stage}/{name}", stage, name, unit, span, normal, {})


class Fixture:
    """All providers in one; `scenario` may be changed while it is served."""

    def __init__(
        self, scenario: str = "normal", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.plant = make_plant()
        self.scenario = scenario
        self.registry = CollectorRegistry()
        Gauge("raffinate_test_points", "Points of the plant", registry=self.registry).set(
            len(self.plant.points)
        )
        self.entries = page_licences.Entries(self.time_ms)
        self._clock = clock
        self._begun = clock()
        if scenario == "licences":
            page_licences.fill(self.entries)
        self._held: tuple[tuple[str, int], dict[str, Sample]] = (("", 0), {})
        self._stale_since: int | None = None

    def time_ms(self) -> int:
        """The gateway's clock: a fixed date plus the time since the start."""
        return START_MS + int((self._clock() - self._begun) * 1000)

    def latest(self) -> Mapping[str, Sample]:
        """One sample a second and point; none in `empty`, old ones in `stale`."""
        if self.scenario == "empty":
            return {}
        now_ms = self.time_ms() // 1000 * 1000
        if self.scenario == "stale":
            self._stale_since = self._stale_since or now_ms - 83_000
            now_ms = self._stale_since
        else:
            self._stale_since = None
        key = (self.scenario, now_ms)
        if self._held[0] != key:
            points = enumerate(self.plant.points.values())
            self._held = (key, {p.id: self._sample(k, p, now_ms) for k, p in points})
        return self._held[1]

    def history(self, point: str, from_ms: int, to_ms: int, buckets: int) -> list[Bucket]:
        """A slow wave about the base value, with ten empty minutes each four hours."""
        width = -(-(to_ms - from_ms) // buckets)
        number = list(self.plant.points).index(point)
        made = []
        for start in range(from_ms, to_ms, width):
            if (start // 60_000) % 240 < 10 or start > self.time_ms():
                made.append(Bucket(start, 0, None, None, None))
                continue
            value = self._value(number, self.plant.points[point], start)
            spread = abs(value) * 0.004 * (1 + math.log10(max(1, width / 1000)))
            made.append(Bucket(start, width // 1000, value - spread, value + spread, value))
        return made

    def _sample(self, number: int, point: Point, now_ms: int) -> Sample:
        value, quality = self._value(number, point, now_ms), "good"
        if self.scenario == "alarm":
            shift = {"e01/ph": -0.42, "e02/ph": -0.36, "e03/ph": -0.31, "s06/cond": 1.9}
            value += shift.get(point.id, 0.0)
            quality = {
                "e05/cond": "F:open",
                "s02/ph": "C:calibrating",
                "s04/level": "S:over-range",
                "t02/ph": "M:slope",
            }.get(point.id, "good")
            if point.id == "t03/temp":
                now_ms -= 12_000
        digits = 3 if point.unit == "pH" else 5 if point.unit in ("S/m", "/") else 8
        return Sample(
            point.id, round(value, digits) if quality == "good" else None, quality, now_ms
        )

    def _value(self, number: int, point: Point, at_ms: int) -> float:
        low, high = point.normal or point.range
        wave = math.sin(at_ms / 47_000 + number) * 0.12 + math.sin(at_ms / 5_200_000 + number) * 0.3
        return (low + high) / 2 + (high - low) / 2 * wave

    def health(self) -> Health:
        """The gateway's parts in the scenario."""
        now_ms = self.time_ms()
        stale = self.scenario == "stale"
        alarm = self.scenario == "alarm"
        empty = self.scenario == "empty"
        return {
            "time_ms": now_ms,
            "broker": {"state": "connecting", "detail": "no answer from 127.0.0.1:1883; retrying"}
            if stale
            else {"state": "connected", "detail": ""},
            "ingest": {
                "state": "storage-full",
                "detail": "data/archive.sqlite reached 2.0 GB; raise archive.bytes_max",
                "queue": 412,
            }
            if alarm
            else {"state": "ok", "detail": "", "queue": 0},
            "archive": {
                "bytes": 2_000_000_000 if alarm else 18_400_000,
                "bytes_max": 2_000_000_000,
            },
            "series": {"bytes": 3_210_000, "bytes_max": 1_000_000_000, "lag": 0},
            "influx": {
                "state": "down",
                "detail": "http://127.0.0.1:8086 refuses the connection",
                "lag": 1840,
                "quarantined": 0,
            }
            if alarm
            else None,
            "nodes": [
                {
                    "node": node,
                    "online": None if empty else not (alarm and node == "n04"),
                    "last_frame_ms": None if empty else now_ms - (83_000 if stale else 400),
                    "frames": 0 if empty else 86_412,
                    "rejected": 3 if alarm and node == "n02" else 0,
                    "findings": ["frames 118 to 121 of boot 4 are missing"]
                    if alarm and node == "n02"
                    else [],
                }
                for node in self.plant.nodes
            ],
            "warnings": ["The archive is 92 % full; at 100 % nodes keep their data."]
            if alarm
            else [],
        }

    def evidence(self) -> EvidenceState:
        """Chains and permits; in `alarm` one grace, one start-inhibit, one pending key."""
        nodes = [self._node_evidence(node) for node in self.plant.nodes]
        equipment = [self._equipment_evidence(item) for item in self.plant.equipment.values()]
        if self.scenario == "licences":
            now_ms = self.time_ms()
            shown = [page_licences.equipment(one, START_MS, now_ms) for one in equipment]
            equipment = [self.entries.seen(one) for one in shown]
        return {
            "log": None
            if self.scenario == "empty"
            else {
                "origin": "demo.example/raffinate/ndpr",
                "size": 1_204,
                "root": "9f0c51a37be2d6018c44f1b2a7d3e6905c1b8e77a2f04d3396c5e8d1b07fa642",
                "time_ms": self.time_ms() // 10_000 * 10_000,
                "checkpoint": CHECKPOINT,
            },
            "anchors": [] if self.scenario == "empty" else [self._anchor()],
            "nodes": nodes,
            "equipment": equipment,
            "problems": ["licences/strip-2.toml line 4: `to` is not a date; write 2026-12-31"]
            if self.scenario == "alarm"
            else [],
            "calendar": page_licences.calendar(START_MS) if self.scenario == "licences" else [],
        }

    def _anchor(self) -> AnchorState:
        refused = self.scenario == "alarm"
        return {
            "source": "witness.example/auditor",
            "kind": "cosignature",
            "state": "refused" if refused else "ok",
            "size": 900 if refused else 1_200,
            "time_ms": START_MS - 60_000,
            "logged_size": 900,
            "unwitnessed": 304 if refused else 4,
            "unwitnessed_ms": 3_600_000 if refused else 9_000,
            "problem": "FORK-OR-BAD-PROOF: it holds another history of this log"
            if refused
            else None,
        }

    def _node_evidence(self, node: str) -> NodeEvidence:
        pending = self.scenario == "empty" or (self.scenario == "alarm" and node == "n04")
        broken = self.scenario == "alarm" and node == "n02"
        return {
            "node": node,
            "keyid": "3f9ac0d1e2b34455" * 4,
            "state": "pending" if pending else "enrolled",
            "boot": 4,
            "online": self.scenario != "stale",
            "clock": "R" if broken else "S",
            "last_statement": None
            if pending
            else {"seq": 301, "type": "usage", "time_ms": self.time_ms() - 4_000},
            "last_receipt": None if pending else {"seq": 300, "index": 1_199},
            "covered_ms": None if pending else self.time_ms() - (90_000 if broken else 4_000),
            "unreceipted": 7 if broken else 1,
            "chain": "MISSING" if broken else "ok",
            "findings": ["MISSING: statements 291 to 293 have not arrived"] if broken else [],
        }

    def _equipment_evidence(self, item: Equipment) -> EquipmentEvidence:
        hour_ms = 3_600_000
        not_after_ms = START_MS + 24 * hour_ms
        state: _State = "compliant"
        reason = "licence covers this machine and these stages"
        denial: LastDenial | None = None
        if self.scenario == "alarm" and item.id == "bat-scrub":
            state, reason, not_after_ms = "grace", "licence L-2026-115 has ended", START_MS - 5_000
        if self.scenario == "alarm" and item.id == "bat-strip":
            state, reason = "start-inhibit", "licence L-2026-116 ended; no permit is in force"
            not_after_ms = START_MS - 60_000
            denial = {
                "kind": "REFUSED",
                "reason": "permit ended",
                "time_ms": START_MS - 20_000,
                "count": 2,
            }
        number = f"L-2026-{114 + list(self.plant.equipment).index(item.id)}"
        empty = self.scenario == "empty"
        return {
            "id": item.id,
            "name": item.name,
            "serial": item.serial,
            "node": item.node,
            "run": None if empty else state != "start-inhibit",
            "state": "unknown" if empty else state,
            "reason": "no statement yet" if empty else reason,
            "licence": None
            if empty
            else {
                "number": number,
                "version": 1,
                "sha256": "5e" * 32,
                "issuer": "Licensing authority (demo)",
                "kind": "single",
                "from_ms": START_MS - 240 * hour_ms,
                "to_ms": not_after_ms,
                "in_force": not_after_ms > START_MS,
                "revoked_ms": None,
                "rests_on": [],
                "decision": None,
                "quotas": [],
                "next_duty": None,
            },
            "permit": None
            if empty
            else {
                "serial": 12,
                "not_before_ms": not_after_ms - 24 * hour_ms,
                "not_after_ms": not_after_ms,
                "grace_ms": 20_000,
                "run_ms_limit": 90 * hour_ms,
            },
            "registers": None
            if empty
            else {"run_ms": 73 * hour_ms + 1_234_000, "starts": 8, "volume_ml": 80_412},
            "last_denial": denial,
        }

    def app(self, **options: Any) -> FastAPI:
        """The application over these providers."""
        return create_app(
            self.plant,
            self,
            self,
            self.health,
            self.evidence,
            self.registry,
            time_ms=self.time_ms,
            **{"entries": self.entries, **options},
        )


@contextlib.contextmanager
def served(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve `app` on 127.0.0.1 in a thread; gives its address without a trailing slash."""
    listener = socket.create_server(("127.0.0.1", port))
    server = WebServer(app)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        for _ in itertools.count():
            if server.started or not thread.is_alive():
                break
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive(), "the server did not stop"


def main() -> None:
    """Serve one scenario until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, default="normal")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    with (
        contextlib.suppress(KeyboardInterrupt),
        served(Fixture(arguments.scenario).app(), arguments.port) as address,
    ):
        print(address, flush=True)  # noqa: T201 - a command's output
        threading.Event().wait()


if __name__ == "__main__":
    main()
