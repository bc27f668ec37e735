"""The format pages name every member, code and vector file that there is."""

import re
from pathlib import Path

import pytest

from raffinate_wire import predicates_node, predicates_rest

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ROOT / "docs" / "formats"
WIRE = ROOT / "firmware" / "raffinate_wire"
PREDICATES = {**predicates_node.PREDICATES, **predicates_rest.PREDICATES}
RECORDS = {**predicates_node.RECORDS, **predicates_rest.RECORDS}


def _section(kind):
    text = (FORMATS / "statement.md").read_text().split("## Predicates")[1]
    paragraphs = [part for part in text.split("\n\n") if f"**{kind}**" in part.split("(")[0]]
    assert len(paragraphs) == 1, f"{kind} has {len(paragraphs)} paragraphs"
    return paragraphs[0]


@pytest.mark.parametrize("kind", sorted(PREDICATES))
def test_the_page_names_a_predicates_members_in_their_order(kind):
    section = _section(kind)
    at = 0
    for field in PREDICATES[kind].split():
        found = section.find(f"`{field.split(':')[0]}`", at)
        assert found >= 0, f"{kind}: {field} is not on the page, or not in its place"
        at = found


def test_the_page_names_every_member_of_a_record_and_of_all():
    text = (FORMATS / "statement.md").read_text()
    fields = " ".join([*RECORDS.values(), predicates_node.COMMON]).split()
    missing = {field.split(":")[0] for field in fields}
    assert {name for name in missing if f"`{name}`" not in text} == set()


def test_the_page_names_every_code_and_no_other():
    raised = set()
    for source in WIRE.glob("*.py"):
        text = source.read_text()
        raised |= set(re.findall(r'WireError\(\s*"([a-z0-9-]+)"', text))
        raised |= set(re.findall(r'"((?:bad|no|duplicate)-[a-z0-9-]+)"', text))
    page = (FORMATS / "README.md").read_text().split("## Codes")[1]
    listed = {code for row in page.splitlines() for code in re.findall(r"`([a-z0-9-]+)`", row)}
    assert listed == raised


def test_every_vector_file_is_named_by_a_page():
    pages = "".join(path.read_text() for path in FORMATS.glob("*.md"))
    files = {path.name for path in (FORMATS / "vectors").glob("*.json")}
    assert {name for name in files if f"`{name}`" not in pages} == set()


def test_links_between_pages_lead_somewhere():
    for page in FORMATS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (FORMATS / target).exists(), f"{page.name} links to {target}"
