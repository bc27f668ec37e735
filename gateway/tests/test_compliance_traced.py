"""docs/compliance.md names tests and rows that exist, for every point and condition there is."""

from __future__ import annotations

import re
from pathlib import Path

from condition_rows import STATED
from licence_cases import AT_MS, GOOD, licence_of, regime_of
from raffinate.licence.decide import decide

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compliance.md").read_text()
FOLDERS = ("gateway/tests", "firmware/tests", "hil_tests/tests")
CONDITIONS = (
    "equipment serial and seal at the licensed site",
    "validity dates",
    "stages in use within the licensed ones",
    "operating or idle, section type",
    "throughput within quota",
    "reagent quantity",
    "element group",
    "element list, purity",
    "activity kind",
    "firmware and recipe unchanged",
    "end user, end use, military use, re-transfer, ownership",
    "discharge limits",
)
TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
ROWS = re.compile(r"`T` rows((?: `[^`]+`)+)")


def rows(heading: str) -> dict[str, str]:
    """The table under a heading: first cell -> the whole line."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return {line.split("|")[1].strip(): line for line in lines}


def test_every_named_test_exists():
    named = set(TEST.findall(PAGE))
    assert len(named) > 40
    for file, name in named:
        paths = [path for folder in FOLDERS if (path := ROOT / folder / file).exists()]
        assert paths, file
        assert re.search(rf"^(?:async )?def {name}\(", paths[0].read_text(), re.MULTILINE), name


def test_every_named_row_stands_in_the_table_of_conditions():
    stated = {code for code, _, _ in STATED}
    named = {code for found in ROWS.findall(PAGE) for code in re.findall(r"`([^`]+)`", found)}
    assert named <= stated
    decided = {item.code for item in decide(licence_of(), (regime_of(),), GOOD, AT_MS).conditions}
    assert decided - named == {"duty:usage report"}


def test_all_fifteen_points_and_every_condition_of_the_design_are_traced():
    points = rows("The fifteen points")
    assert list(points) == [str(number) for number in range(1, 16)]
    conditions = rows("The conditions")
    assert tuple(conditions) == CONDITIONS
    for line in (*points.values(), *conditions.values(), *rows("Results").values()):
        assert TEST.search(line) or ROWS.search(line), line


def test_the_days_of_the_chinese_pack_are_traced():
    days = " ".join(rows("Days of the Chinese pack"))
    for day in ("before 4 April 2025", "9 October", "8 November", "suspension", "11 November 2026"):
        assert day in days


def test_the_page_of_licences_names_every_condition_and_says_that_it_is_no_advice():
    page = (ROOT / "docs" / "licences.md").read_text()
    for code, _, _ in STATED:
        family = code.split(":")[0]
        assert re.search(rf"^\| `{re.escape(family)}[:`]", page, re.MULTILINE), code
    for text in (PAGE, page, (ROOT / "docs/formats/licence-toml.md").read_text()):
        assert "Not legal advice" in text
