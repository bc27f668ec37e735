"""The peer of the log's benchmark runs, and says what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from raffinate_rig.plugin import requires_tool

SCRIPT = Path(__file__).parents[1] / "bench" / "tessera.py"


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_peer_takes_entries_under_its_own_hammer():
    requires_tool("tessera-posix")
    requires_tool("tessera-hammer")
    done = run("--bytes", "64", "--seconds", "0.1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["entry_bytes"] == 64
    assert found["entries_per_s"] > 0


def test_a_missing_peer_is_named_with_its_remedy(tmp_path):
    done = run(RAFFINATE_PEERS=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tessera: tessera-posix is not installed: make peers\n"
