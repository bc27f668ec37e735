"""Our checker in Go (`interop/`), built once a run by the Go that is there."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from raffinate_rig.plugin import requires_tool

GO_MINOR_MIN = 24
SOURCE = Path(__file__).parent / "interop"


@cache
def interop():
    """The checker's path; skips where there is no Go."""
    go = requires_tool("go")
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True)
    if int(version.stdout.removeprefix("go1.").split(".")[0]) < GO_MINOR_MIN:
        pytest.skip(f"{go} is {version.stdout.strip()}, too old: `make peers` fetches a newer one")
    folder = mkdtemp(prefix="raffinate-interop-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = Path(folder) / "interop"
    environment = {**os.environ, "GOFLAGS": "-modcacherw -mod=readonly"}
    subprocess.run([go, "build", "-o", target, "."], cwd=SOURCE, env=environment, check=True)
    return target


def run_interop(*arguments, stdin=""):
    """Run it; the finished process."""
    command = [str(argument) for argument in (interop(), *arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
