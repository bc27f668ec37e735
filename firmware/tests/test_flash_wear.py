"""The lifetimes in docs/node-link.md rest on erases that are measured here."""

import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("upy_wear.py")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "node-link.md"


@pytest.mark.micropython
def test_erases_are_as_documented(micropython):
    out = micropython.run(SCRIPT, heapsize="16M")
    measured = {name: int(count) / 1000 for name, count in re.findall(r"wear (\w+) (\d+)", out)}
    page = PAGE.read_text()
    for name, label in (
        ("value", "a small value"),
        ("statement", "a statement of 1.8 KB"),
        ("spilled", "a spilled frame of 1.5 KB"),
    ):
        stated = float(re.search(rf"\| {label}[^|]*\| ([\d.]+) \|", page).group(1))
        assert measured[name] == pytest.approx(stated, rel=0.1), name
