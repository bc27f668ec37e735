"""One vector list, run by CPython and by real MicroPython from source and from .mpy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
VECTORS = TESTS.parents[1] / "docs" / "formats" / "vectors"
RUNNER = TESTS / "run_vectors.py"


def _expected_lines():
    return {
        f"{path.stem} {len(json.loads(path.read_text())['cases'])} cases"
        for path in VECTORS.glob("*.json")
    }


def test_the_files_are_what_their_generator_writes():
    command = [sys.executable, str(TESTS / "make_vectors.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cpython_agrees_with_every_vector():
    command = [sys.executable, str(RUNNER), str(VECTORS)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert set(done.stdout.splitlines()) == _expected_lines()


@pytest.mark.micropython
@pytest.mark.parametrize("mpy", [False, True], ids=["source", "mpy"])
def test_micropython_agrees_with_every_vector(micropython, mpy):
    output = micropython.run(RUNNER, str(VECTORS), mpy=mpy)
    assert set(output.splitlines()) == _expected_lines()


def test_the_runner_reports_what_disagrees(tmp_path):
    cases = json.loads((VECTORS / "frame.json").read_text())["cases"]
    wrong = [
        {**cases[0], "name": "accepted", "code": "bad-frame"},
        {**cases[0], "name": "other value", "value": {"seq": 1}},
        {"name": "refused", "text": "[]"},
    ]
    (tmp_path / "frame.json").write_text(json.dumps({"cases": wrong}))
    command = [sys.executable, str(RUNNER), str(tmp_path), "frame"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "FAIL frame/accepted",
        "FAIL frame/other value",
        "FAIL frame/refused",
        "frame 3 cases",
    ]
