"""One real node under permits that the test signs: its contacts, its clock, its statements.

Time runs SPEED times faster than the host's, at the node and at the gateway's part alike.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Self

from raffinate_rig.node_rig import NodeRig
from raffinate_rig.processes import wait_until
from raffinate_wire import dsse, p256, permit, statement
from rig_configs import PULSES_PER_L, node_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from raffinate_rig.brokers import Broker

SPEED = 20
T0_MS = 1_795_255_200_000
EQUIPMENT = "bat-ext"
FLOW = "e01/flow_aq"
RUN, START, BYPASS, PERMISSIVE = 100, 101, 102, 103
PERMIT_KEY, OTHER_KEY = 1002, 1003
HOUR_MS = 3_600_000
# What a node does not do within this, it does not do.
WAIT_S = 40.0


class Time:
    """The gateway's time in ms since 1970; `shift_ms` sets it wrong."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.shift_ms = 0

    def __call__(self) -> int:
        passed_ms = (time.monotonic() - self._start) * 1000 * SPEED
        return T0_MS + round(passed_ms) + self.shift_ms


def config(site: str, **machine: Any) -> dict[str, Any]:
    """node.json of one stage with a flow meter and one equipment; `machine` changes that."""
    flow = {"name": "flow_aq", "driver": "pulse", "pin": 20, "pulses_per_l": PULSES_PER_L}
    content = node_config(equipment_ids=(EQUIPMENT,), statement_s=10, site=site)
    content["stages"] = [{"id": "e01", "points": [flow]}]
    content["keys"]["permit"] = base64.b64encode(spki(PERMIT_KEY)).decode()
    content["equipment"][0] |= {"bypass_pin": BYPASS, **machine}
    return content


class PermitRig:
    """A node under test; `start` powers it on, `allow` sends it a permit."""

    def __init__(
        self, content: Mapping[str, Any], broker: Broker, firmware: Path, folder: Path
    ) -> None:
        self.time = Time()
        self.site = content["site"]
        self._read = 0
        self._statements: dict[tuple[str, int], statement.Statement] = {}
        self.rig = NodeRig(
            content, broker, firmware=firmware, folder=folder, speed=SPEED, now_ms=self.time
        )
        self.bus, self.node, self.listener = self.rig.bus, self.rig.node, self.rig.listener

    def __enter__(self) -> Self:
        self.rig.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.rig.__exit__()

    def start(self) -> None:
        """Power on, and wait for the status, which names the key."""
        count = len(self.listener.statuses)
        self.rig.start()
        wait_until(
            lambda: any(status.online for status in self.listener.statuses[count:]), "status"
        )

    def power_cut(self) -> None:
        """Off and on again."""
        self.node.kill()
        self.start()

    @property
    def keyid(self) -> str:
        return self.listener.statuses[-1].keyid

    def permit(self, serial: int, key: int = PERMIT_KEY, **changes: Any) -> bytes:
        """A permit of one hour from now and a minute's grace."""
        now_ms = changes.get("issued_ms") or self.time()
        members = {
            "serial": serial,
            "site": self.site,
            "node": "n01",
            "keyid": self.keyid,
            "equipment": EQUIPMENT,
            "licence": "L-1",
            "licence_sha256": "cd" * 32,
            "purpose": "",
            "stages": ["e01"],
            "issued_ms": now_ms,
            "not_before_ms": now_ms,
            "not_after_ms": now_ms + HOUR_MS,
            "grace_ms": 60_000,
            "run_ms_limit": 2 * HOUR_MS,
        }
        payload = permit.format_permit(**{**members, **changes})
        sig = p256.sign(key, dsse.digest(dsse.PAYLOAD_PERMIT, payload))
        return dsse.format_envelope(dsse.PAYLOAD_PERMIT, payload, p256.keyid(spki(key)), sig)

    def allow(self, serial: int = 1, **changes: Any) -> bytes:
        """Publish a permit and wait until it closes the contact."""
        data = self.permit(serial, **changes)
        self.listener.permit(EQUIPMENT, data)
        self.wait(lambda: self.permissive, f"permit {serial}")
        return data

    def kill_gateway(self) -> None:
        """From now on nobody answers the node: no time, no ack, no permit."""
        self.listener.answers = False

    @property
    def permissive(self) -> int:
        return self.bus.output(PERMISSIVE)

    def scans(self, count: int = 3) -> None:
        """Wait until so many more scans are over."""
        self.listener.wait_frames(count, WAIT_S)

    def request(self) -> None:
        """Push the start button for a few scans."""
        self.bus.set_input(START, 1)
        self.scans()
        self.bus.set_input(START, 0)

    def statements(self, kind: str | None = None) -> list[statement.Statement]:
        """What was heard so far, once each, in the order of seq."""
        heard = self.listener.statements
        while self._read < len(heard):
            one = statement.parse_statement(dsse.parse_envelope(heard[self._read]).payload)
            self._statements[one.keyid, one.seq] = one
            self._read += 1
        found = sorted(self._statements.items())
        return [one for _, one in found if kind in (None, one.type)]

    def wait_statement(
        self, kind: str, condition: Callable[[Any], bool] = lambda _: True
    ) -> statement.Statement:
        """The first statement of a kind whose body meets the condition."""

        def found() -> list[statement.Statement]:
            return [one for one in self.statements(kind) if condition(one.body)]

        self.wait(found, f"{kind}")
        return found()[0]

    def denial(self, kind: str, reason: str) -> statement.Statement:
        """The first denial of this kind for this reason."""
        return self.wait_statement(
            "denial", lambda body: (body["kind"], body["reason"]) == (kind, reason)
        )

    def states(self) -> list[str]:
        """The guard's states as usage and heartbeats told them, repetitions left out."""
        told = [
            one.body["equipment"][0]["state"]
            for one in self.statements()
            if one.type in ("usage", "heartbeat")
        ]
        return [state for at, state in enumerate(told) if not at or told[at - 1] != state]

    def node_ms(self) -> int:
        """The time of the newest scan by the node's clock."""
        found = self.listener.newest.frame.scans[0][0]
        assert found is not None, "the node knows no time"
        return found

    def told(self, text: str) -> bool:
        """Whether a console line since the start says so."""
        return any(text in line.text for line in self.node.lines())

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        wait_until(lambda: bool(condition()), what, WAIT_S)


def spki(d: int) -> bytes:
    return p256.spki(*p256.public_key(d))
