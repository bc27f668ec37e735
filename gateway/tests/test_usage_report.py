"""The usage report of one licence: a page that fits one sheet, and a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import shutil

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from licence_story import (
    APPROVAL,
    CURRENT,
    NEEDS_APPROVAL,
    QUOTA,
    RESTS,
    STEP_MS,
    Licensed,
    digest_of,
    time_text,
)
from raffinate.audit.accounts import DenialSeen
from raffinate.audit.command import Order, main, run
from raffinate.audit.report import as_text
from raffinate.audit.usage_csv import HEADS, as_usage_csv, plain
from raffinate.audit.usage_report import as_usage_html
from raffinate.cli.audit import audit
from raffinate.errors import ConfigError
from test_html_report import EVIL, about, outline

TERMS = (
    'purpose = "Nd/Pr separation"\n'
    + RESTS
    + '[parties]\nexporter = "Works of Example"\nend_user = "Magnet Works"\n'
    '[use]\nend_use = "magnets"\n'
    + QUOTA.format("run-h", "0.1", "day")
    + NEEDS_APPROVAL
    + '[conditions]\nacknowledge = true\nunobservable = ["political alignment"]\n'
)


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """A machine over its quota, a refused start, a bridged one, two acknowledgements."""
    made = Licensed(tmp_path_factory.mktemp("usage"))
    made.state(CURRENT)
    made.state(APPROVAL)
    digest = made.license(TERMS)
    for of in ("conditions", "grace"):
        made.state(
            f'kind = "acknowledgement"\nid = "ack-{of}"\nof = "{of}"\nby = "op-1"\n'
            f'at = {time_text(made.maker.time_ms)}\nequipment = ["SN-0"]\nlicence = "{digest}"\n',
            trusted=False,
        )
    made.usage(uses=(True, STEP_MS, 1, STEP_MS))
    for _ in range(4):
        made.usage()
    made.refuse("REFUSED")
    made.refuse("STARTED-ANYWAY")
    made.finish()
    digests = ", ".join(f'"{digest}"' for digest in sorted(made.trusted.licences))
    policy = made.maker.policy().replace("sha256 = [", f"sha256 = [{digests}, ")
    (made.folder.parent / "policy.toml").write_text(policy)
    return made


@pytest.fixture(scope="module")
def result(plant):
    return run(Order(plant.folder, plant.folder.parent / "policy.toml"))


def test_the_page_says_what_an_inspector_must_see(result):
    page = as_usage_html(result, about(), "L-0")
    outline(page)
    for wanted in (
        "SN-0", "L-0, issued by Authority", "Version 1", "Version 2", "policy lists its SHA-256",
        "Nd/Pr separation; magnets", "exporter Works of Example, end user Magnet Works", "test/1",
        "0.15 h, 2 starts, 540 L", "run time, 2026-11-21", "150.0 %", "evidence: announced",
        "political alignment", "refused", "started anyway", "No gap was stated.",
        "synchronised (S) in every statement", "enrolled at entry 2", "Firmware in force",
        "Calibration in force", "op-1", "Not legal advice.", "as of 2026-", "QUOTA-EXCEEDED",
        "time-trustworthy", "unwitnessed suffix", "Stages",
    ):  # fmt: skip
        assert wanted in page, wanted
    assert f"approval A-7 <code>{digest_of(APPROVAL.encode())[:16]}</code>" in page
    assert "SN-1" not in page


def test_both_commands_write_page_and_table_and_end_as_verify_does(plant, tmp_path):
    words = ["usage", str(plant.folder), "--policy", str(plant.folder.parent / "policy.toml")]
    words += ["--licence", "L-0"]
    one = [*words, "--html", str(tmp_path / "1.html"), "--csv", str(tmp_path / "1.csv")]
    assert main(one) == 4
    two = [*words, "--html", str(tmp_path / "2.html"), "--csv", str(tmp_path / "2.csv")]
    done = CliRunner().invoke(audit, two)
    assert done.exit_code == 4
    assert "quota of L-0: run time, 2026-11-21: 0.15 h of 0.1 h" in done.stdout
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    stamp = re.compile(r"[\d-]+ [\d:]+ UTC")
    pages = [stamp.sub("", (tmp_path / name).read_text()) for name in ("1.html", "2.html")]
    assert pages[0] == pages[1]
    missing = CliRunner().invoke(audit, [*words[:-1], "L-9"])
    assert isinstance(missing.exception, ConfigError)
    assert "it has L-0, L-1" in str(missing.exception)


def test_the_table_is_rfc_4180_with_units_in_its_heads(result):
    text = as_usage_csv(result, "L-0")
    assert text.count("\n") == text.count("\r\n")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == HEADS
    by = {kind: [row for row in rows if row["record"] == kind] for kind in ("use", "quota")}
    (use,) = by["use"]
    assert (use["run_h"], use["starts"], use["volume_l"]) == ("0.1500", "2", "540.000")
    (quota,) = by["quota"]
    assert (quota["quota_used_low"], quota["quota_limit"], quota["quota_unit"]) == (
        "0.15",
        "0.1",
        "h",
    )
    assert {row["record"] for row in rows} == {
        "use", "quota", "condition", "finding", "denial", "acknowledgement"
    }  # fmt: skip


@given(st.text(max_size=20) | st.text(' ;\t\n"=-+@\uff1d1.a', max_size=9))
def test_no_cell_is_a_formula(cell):
    shown = plain(cell)
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", cell):
        assert not shown.startswith(("\t", "\r", "\n"))
        for part in re.split(r"[;\t\r\n]", shown):
            assert not part.lstrip(' "').startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))
    assert shown.replace("'", "") == cell.replace("'", "")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("-12.5", "-12.5"),
        ("+3", "+3"),
        ("12", "12"),
        ("L-0 a+b; a = b", "L-0 a+b; a = b"),
        ("-12.5+A1", "'-12.5+A1"),
        (" =A1", "' =A1"),
        ("\uff1dA1", "'\uff1dA1"),
        ("a;=A1", "a;'=A1"),
        ("a; @A1", "a;' @A1"),
        ("a\t\uff0dA1", "a\t'\uff0dA1"),
        ('a;"=A1"', 'a;\'"=A1"'),
        ("a,\n=A1", "a,\n'=A1"),
        ("\ta", "'\ta"),
    ],
)
def test_what_a_spreadsheet_could_split_off_is_no_formula(cell, shown):
    assert plain(cell) == shown


def test_hostile_text_of_a_bundle_makes_neither_markup_nor_formula(plant):
    result = run(Order(plant.folder, plant.folder.parent / "policy.toml"))
    for serial, reason in (("SN-0", EVIL), ("SN-0", '=HYPERLINK("http://example.org";"x")')):
        result.denials.append(DenialSeen(serial, "REFUSED", reason, 1, 9, EVIL, 1 << 60))
    page = as_usage_html(result, about(), "L-0")
    found = outline(page)
    assert not {"script", "a", "img"} & set(found.names)
    assert "\u202e" not in page
    rows = list(csv.reader(io.StringIO(as_usage_csv(result, "L-0"), newline="")))
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    assert "use of SN-0 under L-0" in as_text(result)


@pytest.mark.browser
def test_it_prints_on_one_sheet_of_a4_and_fits_a_phone(result, tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is one

    file = tmp_path / "usage.html"
    file.write_text(as_usage_html(result, about(), "L-0"))
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        sheet = page.pdf(prefer_css_page_size=True)
        browser.close()
    assert len(re.findall(rb"/Type\s*/Page[^s]", sheet)) == 1
    assert b"/MediaBox [0 0 594.95996 841.91998]" in sheet
