"""`raffinate demo` as a newcomer runs it: the plant on the page, a fault, its two scenarios."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raffinate_rig.processes import free_port as another_port
from raffinate_wire import dsse
from raffinate_wire.statement import parse_statement
from system import entries_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate_wire.statement import Statement

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.timeout(600)]
RAFFINATE = [sys.executable, "-m", "raffinate"]
READY_S = 150.0
# The fault is told when it begins; two minutes of the plant later it has moved the first stages.
FAULT_S = 60.0
FALLEN_WITHIN_S = 121.0
# Should nobody end it: longer than all of this takes.
SECONDS_MAX = 400
POLL_S = 0.2
STRIP = "DW-MS4-0001"
# It was stopped at most so long before it asked for a start.
STOPPED_MS = 11_000
OUTSIDE = ("START-OUTSIDE-LICENCE", "USE-OUTSIDE-LICENCE")


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)


def latest(port: int) -> dict[str, float]:
    return {row["point"]: row["value"] for row in get(port, "latest")}


def normal_bands(port: int) -> dict[str, tuple[float, float]]:
    """Of each point of the plant, as the page has them."""
    return {
        point["id"]: tuple(point["normal"])
        for section in get(port, "plant")["sections"]
        for stage in section["stages"]
        for point in stage["points"]
    }


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RAFFINATE, *words], capture_output=True, text=True, check=False)


class Started:
    """A demo as a process; its words are in `log`."""

    def __init__(self, log: Path, *words: str) -> None:
        self.log = log
        self.followed: tuple[int, str] | None = None
        self.states: list[dict[str, Any]] = []
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [*RAFFINATE, "demo", *words],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def follow(self, port: int, equipment: str) -> None:
        """From now on keep each state of a machine as the page first shows it."""
        self.followed = (port, equipment)

    def look(self) -> None:
        if self.followed is not None and self.process.poll() is None:
            row = machine(*self.followed)
            if not self.states or self.states[-1]["state"] != row["state"]:
                self.states.append({**row, "seen_ms": time.time_ns() // 1_000_000})

    def says(self, word: str) -> bool:
        return word in self.log.read_text()

    def until(self, holds: Callable[[], bool], within_s: float) -> None:
        end = time.monotonic() + within_s
        while not holds():
            self.look()
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(POLL_S)


def test_a_fault_shows_and_a_bridged_start_fails_its_battery_alone(tmp_path, free_port):
    folder, port = tmp_path / "demo", free_port
    demo = Started(
        tmp_path / "demo.log",
        *("--folder", str(folder), "--port", str(port), "--seconds", str(SECONDS_MAX)),
        *("--fault", f"sap-loss@{FAULT_S:g}s"),
    )
    try:
        demo.until(lambda: demo.says("ready: http://127.0.0.1:"), READY_S)
        assert get(port, "plant")["note"].startswith("Simulated. ")
        bands = normal_bands(port)
        assert len(bands) == 99

        def all_normal() -> bool:
            now = latest(port)
            return all(
                isinstance(now.get(point), float) and low <= now[point] <= high
                for point, (low, high) in bands.items()
            )

        demo.follow(port, "bat-strip")
        # also those of the strip stages, whose liquor no EZO circuit could measure
        demo.until(all_normal, FAULT_S)
        base = latest(port)
        assert not demo.says("fault sap-loss begins")
        refused(folder, another_port(), "already runs")
        refused(tmp_path / "other", port, "--port")

        def fallen() -> bool:
            now = latest(port)
            return all(now[point] <= base[point] - 0.3 for point in ("e01/ph", "e02/ph", "e03/ph"))

        demo.until(lambda: demo.says("fault sap-loss begins"), FAULT_S)
        demo.until(fallen, FALLEN_WITHIN_S)
        low, high = bands["e01/cond"]
        assert not low <= latest(port)["e01/cond"] <= high
        demo.until(lambda: demo.says("strip started over the bridged contact"), READY_S)
        # one of the start that the node refused, one of the start past it
        demo.until(lambda: denials(port, "bat-strip") >= 2, READY_S)
        # and the next statement of use, which has the start
        demo.until(lambda: machine(port, "bat-strip")["run"], READY_S)
        # a bundle ends where the witness has seen it
        size = get(port, "evidence")["log"]["size"]
        demo.until(lambda: get(port, "evidence")["anchors"][0]["size"] >= size, READY_S)
        demo.process.terminate()
        assert demo.process.wait(90) == 0, demo.log.read_text()
    finally:
        # not killed: it ends what it started
        demo.process.terminate()
        demo.process.wait(90)

    shown(demo.states)
    bundle = str(tmp_path / "bundle")
    exported = run("audit", "export", "--plant", str(folder / "plant.toml"), bundle)
    assert exported.returncode == 0, exported.stderr
    policy = str(folder / "auditor" / "policy.toml")
    status, result = verified(bundle, policy)
    assert status == 4, result
    judged(result)
    story(Path(bundle))
    trusting_none = tmp_path / "without-witness.toml"
    text = (folder / "auditor" / "policy.toml").read_text()
    trusting_none.write_text(re.sub(r"\[witnesses\].*?\nquorum = 1\n", "", text, flags=re.DOTALL))
    _, alone = verified(bundle, str(trusting_none))
    assert alone["verdicts"]["time-trustworthy"] == "INSUFFICIENT"
    without = run("audit", "verify", bundle)
    assert "UNTRUSTED-ROOT" in without.stdout


def shown(states: list[dict[str, Any]]) -> None:
    """What the page told of the battery whose licence ended, state after state."""
    seen = {row["state"]: row for row in reversed(states)}
    grace = seen["grace"]
    permit = grace["permit"]
    left_ms = permit["not_after_ms"] + permit["grace_ms"] - grace["seen_ms"]
    assert 0 < left_ms <= 20_000
    assert "grace" in grace["to_acknowledge"]
    order = [row["state"] for row in states]
    assert order[:2] == ["compliant", "grace"]
    # a machine that runs uses up the permit's run time just when its grace ends, or a scan before
    for state in ("grace", "orderly-stop-requested", "start-inhibit"):
        assert re.search("has ended|is used up", seen[state]["reason"])
    assert order.index("orderly-stop-requested") < order.index("start-inhibit")


def judged(result: dict[str, Any]) -> None:
    """The verifier finds just what happened, at that battery alone."""
    assert result["verdicts"]["authentic"] == "PASS"
    assert result["verdicts"]["time-trustworthy"] == "PASS"
    assert result["verdicts"]["licence-conformant"] == "FAIL"
    assert result["equipment"] == {
        "DW-MS4-0001": "FAIL",
        "DW-MS6-0001": "PASS",
        "DW-MS6-0002": "PASS",
    }
    said = {(one["code"], one["effect"]) for one in result["findings"] if one["equipment"] == STRIP}
    assert said == {
        *((code, "FAIL") for code in ("STARTED-ANYWAY", *OUTSIDE)),
        *((code, "NOTICE") for code in ("REFUSED", "RAN-ON", "FOUND-RUNNING")),
    }


def story(bundle: Path) -> None:
    """What became of the strip battery, from the log's statements alone."""
    node = [item for item in statements(bundle) if item.node == "n04"]
    uses = [
        (statement.body["interval"], use)
        for statement in node
        if statement.type in ("usage", "heartbeat")
        for use in statement.body["equipment"]
        if use["id"] == "bat-strip"
    ]
    denied = [item.body for item in node if item.type == "denial"]
    assert [item["kind"] for item in denied][:2] == ["REFUSED", "STARTED-ANYWAY"]
    assert {item["reason"] for item in denied} == {"permit-ended"}
    refused_ms, started_ms = (item["fromMs"] for item in denied[:2])
    # past its permit's end it ran on through whole intervals, until its operators stopped it
    before = [(span, use) for span, use in uses if span["toMs"] < refused_ms - STOPPED_MS]
    assert {use["run"] for _, use in before} == {True}
    assert {use["state"] for _, use in before} >= {"compliant", "grace"}
    # the start past the contact is metered and attested as any other
    (start,) = [(span, use) for span, use in uses if use["starts"]]
    assert start[0]["fromMs"] - 2000 <= started_ms <= start[0]["toMs"] + 2000
    after = [use for span, use in uses if span["fromMs"] >= start[0]["toMs"]]
    assert any(use["run"] and use["runMs"] for use in [start[1], *after])
    papers = [item.body for item in statements(bundle) if item.type == "document"]
    taken = [item["name"].split("-")[3] for item in papers if item["kind"] == "acknowledgement"]
    assert taken == ["grace", "orderly"]
    assert {item["actor"]["id"] for item in papers} == {"op-demo"}


def test_a_rule_past_its_review_a_missing_assay_and_a_promise_on_paper(tmp_path, free_port):
    folder, port = tmp_path / "demo", free_port
    demo = Started(
        tmp_path / "demo.log",
        *("--scenario", "conditions", "--folder", str(folder), "--port", str(port)),
        *("--seconds", str(SECONDS_MAX)),
    )
    try:
        demo.until(lambda: demo.says("ready: http://127.0.0.1:"), READY_S)

        def decided() -> bool:
            # a node that has stated its machine, a permit, and the operator's word in the decision
            rows = get(port, "evidence")["equipment"]
            return (
                all(
                    row["run"] is not None
                    and row["permit"] is not None
                    and not row["to_acknowledge"]
                    for row in rows
                )
                and worst(machine(port, "bat-strip")) == "PASS"
            )

        demo.until(decided, READY_S)
        shown = {name: machine(port, name) for name in ("bat-ext", "bat-scrub", "bat-strip")}
        size = get(port, "evidence")["log"]["size"]
        demo.until(lambda: get(port, "evidence")["anchors"][0]["size"] >= size, READY_S)
        demo.process.terminate()
        assert demo.process.wait(90) == 0, demo.log.read_text()
    finally:
        demo.process.terminate()
        demo.process.wait(90)

    assert {name: worst(row) for name, row in shown.items()} == {
        "bat-ext": "EXPIRED-RULE",
        "bat-scrub": "INSUFFICIENT",
        "bat-strip": "PASS",
    }
    # nobody is kept from starting by what cannot be shown
    assert {row["state"] for row in shown.values()} == {"compliant"}
    promise = condition(shown["bat-strip"], "no-military-use")
    assert (promise["result"], promise["class"]) == ("PASS", "X")
    (certificate,) = (folder / "documents").glob("certificate-*.toml")
    digest = sha256(certificate.read_bytes()).hexdigest()
    assert digest in {value for _, value in promise["inputs"]}
    assert condition(shown["bat-ext"], "rule:demo-rules/1")["evidence"] == "announced"
    bundle = tmp_path / "bundle"
    exported = run("audit", "export", "--plant", str(folder / "plant.toml"), str(bundle))
    assert exported.returncode == 0, exported.stderr
    _, result = verified(str(bundle), str(folder / "auditor" / "policy.toml"))
    assert result["equipment"] == {
        "DW-MS6-0001": "EXPIRED-RULE",
        "DW-MS6-0002": "INSUFFICIENT",
        "DW-MS4-0001": "PASS",
    }
    codes = {one["code"] for one in result["findings"] if one["effect"] != "NOTICE"}
    assert codes == {"EXPIRED-RULE", "X-WITHOUT-PAPER", "FRAMES-ABSENT"}


def test_the_scenarios_are_listed_and_another_is_refused(tmp_path):
    listed = run("demo", "--scenario", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [
        "licence-ends",
        "conditions",
    ]
    other = run("demo", "--scenario", "none", "--folder", str(tmp_path / "demo"))
    assert other.returncode == 2
    assert "licence-ends, conditions" in other.stderr
    assert not (tmp_path / "demo").exists()


def statements(bundle: Path) -> list[Statement]:
    """Every statement of a bundle's log, in its order."""
    envelopes = (dsse.parse_envelope(data) for _, data in entries_in(bundle))
    return [
        parse_statement(envelope.payload)
        for envelope in envelopes
        if envelope.payload_type == dsse.PAYLOAD_STATEMENT
    ]


def machine(port: int, equipment: str) -> dict[str, Any]:
    """One machine as the page has it."""
    rows = get(port, "evidence")["equipment"]
    found: dict[str, Any] = next(item for item in rows if item["id"] == equipment)
    return found


def worst(row: dict[str, Any]) -> str:
    """What the engine says of a machine."""
    decision = None if row["licence"] is None else row["licence"]["decision"]
    return "" if decision is None else str(decision["result"])


def condition(row: dict[str, Any], code: str) -> dict[str, Any]:
    conditions = row["licence"]["decision"]["conditions"]
    found: dict[str, Any] = next(item for item in conditions if item["code"] == code)
    return found


def verified(bundle: str, policy: str) -> tuple[int, dict[str, Any]]:
    """Exit status and result of the offline verifier."""
    result = Path(f"{policy}.result.json")
    done = run("audit", "verify", bundle, "--policy", policy, "--json", str(result))
    assert result.exists(), done.stderr
    return done.returncode, json.loads(result.read_text("utf-8"))


def refused(folder: Path, port: int, reason: str) -> None:
    """A demo in this folder at this port does not start, and says why."""
    done = run("demo", "--folder", str(folder), "--port", str(port))
    assert done.returncode == 1
    assert reason in done.stderr


def denials(port: int, equipment: str) -> int:
    """How many denials of a machine the gateway has logged."""
    found = machine(port, equipment)
    return 0 if found["last_denial"] is None else found["last_denial"]["count"]
