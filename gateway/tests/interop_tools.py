"""Our checker in Go (`interop/`), built once a run by the Go that is there."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from raffinate_rig.plugin import requires_tool

SOURCE = Path(__file__).parent / "interop"


@cache
def interop():
    """The checker's path; skips where there is no Go."""
    folder = mkdtemp(prefix="raffinate-interop-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = Path(folder) / "interop"
    environment = {**os.environ, "GOFLAGS": "-modcacherw -mod=readonly"}
    subprocess.run(
        [requires_tool("go"), "build", "-o", target, "."], cwd=SOURCE, env=environment, check=True
    )
    return target


def run_interop(*arguments, stdin=""):
    """Run it; the finished process."""
    command = [str(argument) for argument in (interop(), *arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
