"""`raffinate demo` as a newcomer runs it: the plant on the page, a fault, a licence that ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raffinate_rig.processes import free_port as another_port

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.timeout(600)]
RAFFINATE = [sys.executable, "-m", "raffinate"]
READY_S = 150.0
# The fault is told when it begins; two minutes of the plant later it has moved the first stages.
FAULT_S = 60.0
FALLEN_WITHIN_S = 121.0
# Should nobody end it: longer than all of this takes.
SECONDS_MAX = 400
POLL_S = 0.2


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
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [*RAFFINATE, "demo", *words],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def says(self, word: str) -> bool:
        return word in self.log.read_text()

    def until(self, holds: Callable[[], bool], within_s: float) -> None:
        end = time.monotonic() + within_s
        while not holds():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(POLL_S)


def test_a_fault_shows_and_a_bridged_start_fails_its_battery_alone(tmp_path, free_port):
    folder, port = tmp_path / "demo", free_port
    demo = Started(
        tmp_path / "demo.log",
        *("--folder", str(folder), "--port", str(port), "--seconds", str(SECONDS_MAX)),
        *("--fault", f"sap-loss@{FAULT_S:g}s", "--fault", "bridge strip@155s"),
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
        # a bundle ends where the witness has seen it
        size = get(port, "evidence")["log"]["size"]
        demo.until(lambda: get(port, "evidence")["anchors"][0]["size"] >= size, READY_S)
        demo.process.terminate()
        assert demo.process.wait(90) == 0, demo.log.read_text()
    finally:
        # not killed: it ends what it started
        demo.process.terminate()
        demo.process.wait(90)

    bundle = str(tmp_path / "bundle")
    exported = run("audit", "export", "--plant", str(folder / "plant.toml"), bundle)
    assert exported.returncode == 0, exported.stderr
    policy = str(folder / "auditor" / "policy.toml")
    status, result = verified(bundle, policy)
    assert status == 4, result
    assert result["verdicts"]["authentic"] == "PASS"
    assert result["verdicts"]["time-trustworthy"] == "PASS"
    assert result["verdicts"]["licence-conformant"] == "FAIL"
    assert result["equipment"] == {
        "DW-MS4-0001": "FAIL",
        "DW-MS6-0001": "PASS",
        "DW-MS6-0002": "PASS",
    }
    assert "STARTED-ANYWAY" in {finding["code"] for finding in result["findings"]}
    trusting_none = tmp_path / "without-witness.toml"
    text = (folder / "auditor" / "policy.toml").read_text()
    trusting_none.write_text(re.sub(r"\[witnesses\].*?\nquorum = 1\n", "", text, flags=re.DOTALL))
    _, alone = verified(bundle, str(trusting_none))
    assert alone["verdicts"]["time-trustworthy"] == "INSUFFICIENT"
    without = run("audit", "verify", bundle)
    assert "UNTRUSTED-ROOT" in without.stdout


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
    found = next(item for item in get(port, "evidence")["equipment"] if item["id"] == equipment)
    return 0 if found["last_denial"] is None else found["last_denial"]["count"]
