"""`raffinate-verify` alone: its wheel holds what it reaches, and verifies with no more."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERIFY = ROOT / "gateway" / "verify"
NEEDED = ("cryptography", "cffi", "pycparser", "_cffi_backend*")
REACHED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("orjson", "click", "rich", "pydantic", "numpy", "httpx"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import raffinate.audit.command
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0].startswith("raffinate") and module.__file__:
        print(module.__file__)
"""


def project(path):
    return tomllib.loads(path.read_text())


def test_the_list_of_the_wheel_is_what_the_command_reaches():
    done = subprocess.run(
        [sys.executable, "-c", REACHED], capture_output=True, text=True, check=True
    )
    reached = {Path(line).resolve() for line in done.stdout.split()}
    listed = project(VERIFY / "pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {(VERIFY / path).resolve() for path in listed["force-include"]} == reached
    lines = sum(len(path.read_text().splitlines()) for path in reached)
    assert lines < 19_000


def test_both_packages_have_one_version_and_one_command():
    alone, whole = project(VERIFY / "pyproject.toml"), project(ROOT / "pyproject.toml")
    assert alone["project"]["version"] == whole["project"]["version"]
    name = "raffinate-verify"
    assert alone["project"]["scripts"][name] == whole["project"]["scripts"][name]
    assert [re.split("[<>=]", item)[0] for item in alone["project"]["dependencies"]] == [
        "cryptography"
    ]


def load_maker():
    path = ROOT / "gateway" / "bench" / "make_bundle.py"
    spec = importlib.util.spec_from_file_location("make_bundle", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_bundle"] = module
    spec.loader.exec_module(module)
    return module


def run(*command, **options):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=clean, timeout=240, **options
    )


def test_the_wheel_alone_verifies_a_bundle_in_another_folder(tmp_path):
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("no uv beside this Python to make an empty environment with")
    built = run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=VERIFY
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    venv = tmp_path / "venv"
    assert run(str(uv), "venv", "-q", "--offline", "--python", sys.executable, venv).returncode == 0
    python = venv / "bin" / "python"
    installed = run(
        str(uv), "pip", "install", "-q", "--offline", "--no-deps", "--python", python, wheel
    )
    assert installed.returncode == 0, installed.stderr
    (target,) = (venv / "lib").glob("python*/site-packages")
    own = Path(sysconfig.get_paths()["platlib"])
    for pattern in NEEDED:  # the one dependency, as it is installed here
        for found in own.glob(pattern):
            (target / found.name).symlink_to(found)

    auditor = tmp_path / "auditor"
    auditor.mkdir()
    made = load_maker().make_bundle(auditor / "bundle", 600, 3)
    (auditor / "policy.toml").write_text(made.policy())
    command = venv / "bin" / "raffinate-verify"
    done = run(str(command), "bundle", "--policy", "policy.toml", "--processes", "2", cwd=auditor)
    assert done.returncode == 3, done.stderr
    assert re.search(r"^authentic +PASS$", done.stdout, re.MULTILINE)
    assert re.search(r"^time-trustworthy +PASS$", done.stdout, re.MULTILINE)
    assert re.search(r"^complete +INSUFFICIENT  FRAMES-ABSENT", done.stdout, re.MULTILINE)
    assert done.stderr == ""
    checkpoint = auditor / "bundle" / "log" / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"\n6", b"\n5", 1))
    assert run(str(command), "bundle", "--policy", "policy.toml", cwd=auditor).returncode == 4
    assert run(str(command), "nothing", "--policy", "policy.toml", cwd=auditor).returncode == 1
    assert run(str(command), "bundle", "--policy", "nothing", cwd=auditor).returncode == 2
