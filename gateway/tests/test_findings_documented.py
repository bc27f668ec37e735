"""The documentation of findings, licences, policies and enrolment is complete and true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raffinate.audit.findings import CODES
from raffinate.audit.policy import parse_policy
from raffinate.errors import ConfigError
from raffinate.licence.document import parse_licence

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = Path(__file__).parents[1] / "raffinate"


def test_every_finding_is_documented_with_effect_meaning_and_remedy():
    text = (DOCS / "findings.md").read_text()
    rows = set(re.findall(r"^\| `([A-Z-]+)` \|", text, re.MULTILINE))
    assert rows == set(CODES)
    for name, code in CODES.items():
        assert f"| `{name}` | {code.effect} | {code.meaning} | {code.remedy} |" in text


def test_every_code_in_the_sources_is_in_the_table_and_every_one_of_the_table_is_used():
    folders = ("evidence", "anchors", "audit")
    paths = [path for name in folders for path in (SOURCES / name).glob("*.py")]
    code = "".join(path.read_text() for path in paths if not path.name.startswith("findings"))
    used = set(
        re.findall(r'"([A-Z]+(?:-[A-Z]+)+|LATE|MISSING|SKIPPED|FORK|ROOT|TILE|CLOCK)"', code)
    )
    assert used - {"STARTED-ANYWAY"} <= set(CODES)
    for name in CODES:
        assert f'"{name}"' in code or name in ("REFUSED", "STARTED-ANYWAY"), name


def test_the_documented_licence_is_one():
    text = (DOCS / "formats" / "licence-toml.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = parse_licence("example.toml", example.encode())
    assert (found.number, found.grace_ms) == ("EX-2026-0117", 3_600_000)


def test_the_documented_policy_fails_only_by_its_shortened_keys():
    text = (DOCS / "formats" / "policy.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    with pytest.raises(ConfigError, match=r"log\.keys"):
        parse_policy("example.toml", example)
