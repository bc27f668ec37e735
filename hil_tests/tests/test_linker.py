"""The linked firmware does what its sources do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from raffinate_rig.deploy import ALONE, firmware_sources, lean
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


# Calls to be put in place: returns in the middle and in a loop, arguments that change, defaults,
# awaits, a method that calls another object's private one, names that hide one another.
LEAN = """
import asyncio

class Store:
    def __init__(self) -> None:
        self.kept_values = {}
        self._count = 0

    def remember_value(self, name: str, amount: int = 2) -> bool:
        if name in self.kept_values:
            return False
        self.kept_values[name] = self._counted(amount)
        return True

    def _counted(self, amount: int) -> int:
        self._count += amount
        return self._count

class Owner:
    def __init__(self) -> None:
        self.store_of_values = Store()
        self.told = []

    def take_one(self, name: str) -> None:
        if not self.store_of_values.remember_value(name):
            self.told.append("the same name came twice: {}".format(name))

    def take_all(self, names: list) -> list:
        self.take_one(names[0])
        self._take_rest(names[1:])
        found = [one for one in sorted(set(names)) if one != "stop"]
        return [(one, self.store_of_values.kept_values[one]) for one in found]

    def _take_rest(self, names: list) -> None:
        for name in names:
            if name == "stop":
                return
            self.take_one(name)

def halved_once(number: int) -> int:
    number //= 2
    if number > 10:
        return number - 10
    for part in range(number):
        if part == 3:
            break
    else:
        number += 100
    return number

def first_even(numbers: list) -> int:
    for number in numbers:
        if number % 2 == 0:
            return number
    return -1

def sign_of(number: int) -> str:
    try:
        if number == 7:
            raise ValueError("seven is not a number here")
        return "even" if number % 2 == 0 else "odd"
    except ValueError as error:
        return str(error)
    finally:
        SEEN.append(number)

SEEN = []

async def doubled_later(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2

async def run_all(number: int) -> list:
    part = number
    result = await doubled_later(part + 1)
    return [result, part]

def main() -> list:
    number = 21
    found = [Owner().take_all(["a", "b", "a", "stop", "c"][:4])]
    halved = halved_once(number)
    found.append((number, halved))
    found.append(first_even([1, 3, 8, 9]))
    text = sign_of(7)
    found.append(text)
    if sign_of(number) == "odd":
        found.append(SEEN)
    found.append(asyncio.run(run_all(number)))
    found.append([[inner * outer for inner in range(2)] for outer in range(3)])
    total = sum([one for one in found[-1][2] if one])
    found.append((total, (lambda number: number + total)(5)))
    return found
"""


def run_of(text: str) -> list:
    unit: dict = {}
    exec(compile(text, "unit", "exec"), unit)  # noqa: S102 - what the linker wrote
    return unit["main"]()


@pytest.mark.parametrize("sources", [SAMPLE, {"sample.top": LEAN}], ids=["sample", "lean"])
def test_lean_code_gives_what_its_modules_give(sources):
    text = Linker(sources, set(), []).link({"unit": [("sample.top", "main")]})["unit"]
    small = lean({"unit": text}, ["from unit import main"], [])["unit"]
    assert run_of(small) == run_of(text)
    assert small.count("def ") < text.count("def ")


def test_lean_code_has_fewer_functions_and_cheap_names():
    text = Linker({"sample.top": LEAN}, set(), []).link({"unit": [("sample.top", "main")]})["unit"]
    small = lean({"unit": text}, ["from unit import main"], [])["unit"]
    code = "\n".join(line for line in small.splitlines() if not line.startswith("#"))
    for gone in ("halved_once", "remember_value", "kept_values", "the same name came"):
        assert gone in text
    assert "halved_once" not in code
    assert "kept_values" not in code
    assert code.count("the same name came twice") == 1
    # a return in a loop cannot be a break
    assert "# first_even" in small
    # what a traceback's reader looks up
    assert ".kept_values" in small


def test_a_name_that_may_be_anothers_stays():
    text = (
        "class A:\n    def value(self):\n        self.readinto = self.my_own = 1\n"
        "        return getattr(self, 'asked_for', 0)\n\n"
        "    def asked_for(self):\n        return 1\n"
        "def main():\n    return A().value()\n"
    )
    small = lean({"unit": text}, ["from unit import main"], ["pin.value()"])["unit"]
    assert "def value" in small
    assert ".readinto" in small
    assert "asked_for" in small
    assert "self.my_own" not in small


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
    text = linker.link({"unit": public})["unit"]
    exported = [linker.exported(module, name) for module, name in public]
    names = ", ".join(sorted({name for name in exported if name.isidentifier()}))
    alone_texts = [sources[module] for module in sources if module in alone]
    runner_text = (ROOT / "firmware" / "tests" / "run_vectors.py").read_text()
    # the runner asks for members by the names that vectors give
    names_of = sorted(set(re.findall(r"self\.([a-z]\w*)", " ".join(sources.values()))))
    members = "\n".join(f"x.{name}\nf({name}=1)" for name in names_of)
    beside = [f"from unit import {names}", runner_text, members, *alone_texts]
    (tmp_path / "unit.py").write_text(lean({"unit": text}, beside, [])["unit"])
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
