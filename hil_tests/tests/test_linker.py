"""The linked firmware does what its sources do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from raffinate_rig.deploy import ALONE, firmware_sources
from raffinate_rig.link_names import LinkError
from raffinate_rig.linker import Linker
from raffinate_rig.plugin import requires_tool

ROOT = Path(__file__).resolve().parents[2]

# Names that hide one another, constants across modules, private names, scopes, formatted texts.
BASE = '''
"""A module."""
import hashlib
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
LOW, HIGH = 2, 1 << 4
MASK = HIGH - LOW
NAMES: "tuple[str, ...]" = ("a", "b")
LEVELS = {"low": LOW, "high": HIGH}
TEXT = "{short}"
digits = "digits of the module"

class Shown:
    """Keeps a name."""
    shared = 7

    def __init__(self, name: str, level: int = MASK) -> None:
        self.name = name
        self._level = level
        self._text: "str | None" = None

    def show(self) -> str:
        """Its text."""
        return self._show(f"{self.name!r}:{self._level:04d}{{}}{TEXT}")

    def _show(self, text: str) -> str:
        return text + str(self.shared)

    def never_called(self) -> str:
        return absent

class Pair:
    def __init__(self, left: "Any", right: "Any" = None) -> None:
        self.left = left
        self.right = right

class Kept:
    def __init__(self, value: int) -> None:
        self.value = value

class Failed(Exception):
    """Goes wrong."""

def size(text: str) -> int:
    return len(text) + _extra(text)

def _extra(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]

def unused() -> None:
    absent()
'''
TOP = '''
from sample import base
from sample.base import Failed, Kept, Pair, Shown, size as size_of
from sample.base import _extra as extra

_extra = 3
size = "a text"

class Louder(Shown):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._loud = True
        self._alone = [digits for digits in name]

    def _show(self, text: str) -> str:
        return super()._show(text).upper() + str(self._loud) + "".join(self._alone)

class Other:
    def __init__(self) -> None:
        self._level = "other"

    def level(self) -> str:
        return self._level

def main() -> list:
    """Everything."""
    found = []
    LOW = "local"
    found.append((LOW, base.LOW, base.MASK + base.HIGH, base.NAMES[1], base.LEVELS["high"]))
    digits = [base.digits for base_digits in base.NAMES]
    found.append((digits, _extra, size, size_of(size), extra(size)))
    found.append((Louder("x").show(), Shown("y", 5).show(), Other().level()))
    pair = Pair(1)
    found.append((pair.left, pair.right, Kept(3).value, isinstance(Kept(1), Kept)))

    def inner(base: int, *rest: int, more: int = _extra, **named: int) -> int:
        return base + sum(rest) + more + sum(named.values())

    found.append((inner(1, 2, more=4, other=5), (lambda size: size * _extra)(5)))
    try:
        raise Failed("text")
    except Failed as error:
        found.append(str(error))
    else:
        found.append("no")
    finally:
        found.append({name: size for name in base.NAMES})
    for _ in range(2):
        pass
    else:
        """nothing"""
    while True:
        from sample.late import last
        found.append(last())
        break
    return found
'''
LATE = "LAST = -1\n\ndef last():\n    return LAST\n"
SAMPLE = {"sample": "", "sample.base": BASE, "sample.top": TOP, "sample.late": LATE}


def test_linked_code_gives_what_its_modules_give(tmp_path, monkeypatch):
    for name, text in SAMPLE.items():
        path = tmp_path / (name.replace(".", "/") + ("/__init__.py" if name == "sample" else ".py"))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    expected = __import__("sample.top").top.main()
    text = Linker(SAMPLE, set(), []).link({"unit": [("sample.top", "main")]})["unit"]
    unit: dict = {}
    exec(compile(text, "unit", "exec"), unit)  # noqa: S102 - what the linker wrote
    assert unit["main"]() == expected
    assert "absent" not in text
    assert "TYPE_CHECKING" not in text
    assert "MASK" not in text
    assert "class Pair" not in text
    assert "class Kept" in text


def test_what_a_second_unit_shares_it_imports_from_the_first():
    units = Linker(SAMPLE, set(), []).link(
        {"one": [("sample.base", "size")], "two": [("sample.base", "Kept"), ("sample.top", "main")]}
    )
    assert "def size" in units["one"]
    assert "class Kept" in units["two"]
    assert "def size" not in units["two"]
    assert [line for line in units["two"].splitlines() if line.startswith("from one import")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef f():\n    global x\n    x = 2\n", "global x"),
        ("def f():\n    class A:\n        pass\n", "class inside a function"),
        ("from sample import base\ndef f():\n    return [base]\n", "hands the module"),
        ("def f():\n    pass\nf()\n", "line 3"),
        ("x = 1\nx = 2\ndef f():\n    return x\n", "binds x twice"),
        ("class A:\n    _x = 1\ndef f():\n    return A()\n", "private attribute"),
        (
            "class A:\n    def f(self):\n        self._x = 1\ndef f():\n    return A().f()._x\n",
            "uses the private _x",
        ),
    ],
)
def test_what_cannot_be_linked_is_told(text, told):
    with pytest.raises(LinkError, match=told):
        Linker({**SAMPLE, "odd": text}, set(), []).link({"unit": [("odd", "f")]})


@pytest.mark.micropython
def test_every_vector_passes_on_the_linked_wire_package(tmp_path):
    sources = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path.read_text()
        for name, path in firmware_sources().items()
        if name.startswith("raffinate_wire/")
    }
    alone = {name.removesuffix(".py").replace("/", ".") for name in ALONE}
    linker = Linker(sources, alone, [])
    public = []
    for module in sources:
        names = linker.load(module).symbols if module not in alone else ()
        public += [(module, name) for name in names if not name.startswith("_")]
    (tmp_path / "unit.py").write_text(linker.link({"unit": public})["unit"])
    package = tmp_path / "raffinate_wire"
    package.mkdir()
    for module, text in sources.items():
        lines = [
            f"{name} = unit.{final}"
            if (final := linker.exported(module, name)).isidentifier()
            else f"{name} = {final}"
            for of_module, name in public
            if of_module == module
        ]
        file = package / (module.partition(".")[2] + ".py" if "." in module else "__init__.py")
        file.write_text("\n".join(["import unit", *lines]) if lines else text)
    runner = ROOT / "firmware" / "tests" / "run_vectors.py"
    result = subprocess.run(
        [requires_tool("micropython"), runner, ROOT / "docs" / "formats" / "vectors"],
        env=os.environ | {"MICROPYPATH": f"{tmp_path}:.frozen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert "frame" in result.stdout
