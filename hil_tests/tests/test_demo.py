"""`raffinate demo` as a newcomer runs it: the plant on the page, a fault, a licence that ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.timeout(420)]
RAFFINATE = [sys.executable, "-m", "raffinate"]
READY_S = 90.0
FAULT_S = 60.0
LOOK_S = 182.0
END_S = 195


def latest(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/latest", timeout=10) as answer:
        return {row["point"]: row["value"] for row in json.load(answer)}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RAFFINATE, *words], capture_output=True, text=True, check=False)


def wait_for(log: Path, word: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_S
    while word not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


def test_a_fault_shows_and_a_bridged_start_fails_its_battery_alone(tmp_path, free_port):
    folder, log = tmp_path / "demo", tmp_path / "demo.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [
                *(*RAFFINATE, "demo", "--folder", str(folder), "--port", str(free_port)),
                *("--fault", f"sap-loss@{FAULT_S:g}s", "--fault", "bridge strip@155s"),
                *("--seconds", str(END_S)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    started = time.monotonic()
    try:
        wait_for(log, "ready: http://127.0.0.1:", process)
        time.sleep(10)  # the first values of a scan's setup are not yet the steady ones
        base = latest(free_port)
        assert len(base) == 96
        second = run("demo", "--folder", str(folder), "--port", str(free_port + 1))
        assert second.returncode == 1
        assert "already runs" in second.stderr
        taken = run("demo", "--folder", str(tmp_path / "other"), "--port", str(free_port))
        assert taken.returncode == 1
        assert "--port" in taken.stderr
        time.sleep(max(0.0, started + LOOK_S - time.monotonic()))
        now = latest(free_port)
        for stage in ("e01", "e02", "e03"):
            assert now[f"{stage}/ph"] <= base[f"{stage}/ph"] - 0.3, stage
        assert process.wait(90) == 0, log.read_text()
    finally:
        process.terminate()
        process.wait(30)

    bundle = str(tmp_path / "bundle")
    exported = run("audit", "export", "--plant", str(folder / "plant.toml"), bundle)
    assert exported.returncode == 0, exported.stderr
    policy = str(folder / "auditor" / "policy.toml")
    verified = run("audit", "verify", bundle, "--policy", policy, "--json")
    assert verified.returncode == 4, verified.stdout
    result = json.loads(verified.stdout)
    assert result["verdicts"]["authentic"] == "PASS"
    assert result["verdicts"]["licence-conformant"] == "FAIL"
    assert result["equipment"] == {
        "DW-MS4-0001": "FAIL",
        "DW-MS6-0001": "PASS",
        "DW-MS6-0002": "PASS",
    }
    assert "STARTED-ANYWAY" in {finding["code"] for finding in result["findings"]}
    without = run("audit", "verify", bundle)
    assert "UNTRUSTED-ROOT" in without.stdout
