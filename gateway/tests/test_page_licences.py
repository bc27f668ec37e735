"""Licences and calendar in headless Chromium: state, verdict, quotas, acknowledging, due dates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import page_licences
from page_browser import AXE, MARKS, SIZES, chromium, opened, overflowing, violations, width
from page_licences import HOSTILE, REFUSED_ACTOR
from page_server import Fixture, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = MARKS
LICENCES = "/licences/"
CALENDAR = "/calendar/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture("licences")


@pytest.fixture(scope="module")
def address(fixture: Fixture) -> Iterator[str]:
    with served(fixture.app()) as base:
        yield base


@pytest.fixture(autouse=True)
def _as_before(fixture: Fixture) -> Iterator[None]:
    yield
    fixture.scenario = "licences"
    fixture.entries.taken.clear()


def row(page: Page, code: str) -> str:
    """The condition's row as it is read."""
    return page.locator(".conditions tbody tr", has_text=code).inner_text()


def test_each_machine_is_told_at_a_glance_and_the_most_urgent_in_full(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, path=LICENCES) as page:
        cards = page.locator(".card")
        expect(cards).to_have_count(3)
        expect(cards.nth(0)).to_contain_text("Start permitted, permit ends in 23 h")
        expect(cards.nth(0)).to_contain_text(
            re.compile(r"Verdict\s+FAIL as of \d{4}-\d\d-\d\d \d\d:\d\d UTC, evidence: rumoured")
        )
        expect(cards.nth(1)).to_contain_text(re.compile(r"Grace: starts refused in 59 min \d+ s"))
        expect(cards.nth(1)).to_contain_text("to be acknowledged")
        expect(cards.nth(2)).to_contain_text("Orderly stop requested for 1 h")
        expect(cards.nth(2)).to_have_attribute("aria-current", "true")
        details = page.locator(".details")
        expect(details.locator("h2")).to_have_text("Strip battery")
        expect(details).to_contain_text("no licence is in force: no start")
        expect(details).to_contain_text("Operators are asked to stop the machine in order")
        expect(details).to_contain_text("Nothing stops it by itself")
        expect(details).to_contain_text("Started without permission")
        expect(details).to_contain_text("3 times in all")
        expect(details).to_contain_text("ended 2 h ago")
        expect(details).to_contain_text("12, taken back")
        expect(page.locator(".lead")).to_contain_text("nothing here stops one that runs")


def test_grace_counts_down_on_the_page(browser: Browser, address: str) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-scrub") as page:
        state = page.locator(".details-state .remark")
        first = state.inner_text()
        assert re.search(r"starts refused in 5\d min", first)
        expect(state).not_to_have_text(first, timeout=15_000)
        expect(page.locator(".details-state")).to_contain_text("what runs goes on")


def test_a_verdict_stands_with_its_date_its_evidence_and_that_it_is_no_advice(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-ext") as page:
        box = page.locator(".verdict-box")
        expect(box).to_contain_text(
            re.compile(r"FAIL\s*what is known contradicts a condition, as of \d{4}-\d\d-\d\d \d\d:")
        )
        expect(box).to_contain_text("Weakest evidence among its rules: rumoured. Not legal advice.")
        results = page.locator(".conditions tbody tr").evaluate_all(
            "rows => rows.map((row) => row.dataset.result)"
        )
        assert results == ["FAIL", "EXPIRED-RULE", "INSUFFICIENT", *["PASS"] * 5]
        assert "X, by a vouched document alone" in row(page, "end-use")
        assert "no start permit is given for it" in row(page, "end-use")
        assert "I, inferred from measurements" in row(page, "activity:commissioning")
        assert "as of 2025-11-15" in row(page, "activity:commissioning")
        assert "evidence: reported" in row(page, "activity:commissioning")
        assert "waived: trial period, letter of 2026-10-02" in row(page, "reporting:monthly")
        assert "D, direct: measured and signed" in row(page, "stages")
        assert "in use" in row(page, "stages")
        expect(page.locator(".details-verdict")).to_contain_text("Recorded, never evaluated")


def test_quotas_have_bars_and_numbers_and_say_what_is_not_known(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-ext") as page:
        bars = page.locator(".bars li")
        expect(bars.nth(0)).to_contain_text("16 h of running left")
        expect(bars.nth(1)).to_contain_text("73 of 4\u202f000 h used")
        expect(bars.nth(2)).to_contain_text("41.2 to 47.9 of 50.0 kg used")
        expect(bars.nth(2)).to_contain_text("judged by the auditor only")
        expect(bars.nth(3)).to_contain_text("Reagent HCl")
        expect(bars.nth(3)).to_contain_text("use not known, limit 800 kg")
        expect(bars.nth(4)).to_contain_text("used up")
        widths = page.locator(".bars .bar").evaluate_all(
            """all => all.map((bar) => [...bar.querySelectorAll('rect')].map(
                 (r) => Number(r.getAttribute('width'))))"""
        )
    assert widths[1] == [100, 82.4, pytest.approx(13.4, abs=0.01)]
    assert widths[2] == [100, 0, 0]
    assert widths[3] == [100, 100, 0]


def test_an_operator_acknowledges_and_sees_who_when_and_where_in_the_log(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-scrub") as page:
        grace = page.get_by_role("button", name="Acknowledge grace")
        grace.click()
        assert fixture.entries.taken == {}, "without a pseudonym nothing is sent"
        page.get_by_label("Your pseudonym").fill("op-7")
        grace.click()
        expect(page.locator(".said")).to_have_text("Acknowledged grace: log entry 1204")
        expect(page.locator(".said")).to_be_focused()
        expect(page.locator(".acknowledgements")).to_contain_text(
            re.compile(r"Grace by op-7, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC log entry 1204"),
            timeout=15_000,
        )
        expect(grace).to_be_hidden(timeout=15_000)
        expect(
            page.get_by_role("button", name="Acknowledge the licence's conditions")
        ).to_be_visible()
        page.reload()
        expect(page.get_by_label("Your pseudonym")).to_have_value("op-7")
        page.locator(".card", has_text="Strip battery").click()
        expect(page.locator(".acknowledgements")).to_contain_text("log entry 1180")
        expect(page.locator(".acknowledge")).to_be_hidden()
    assert [one["who"] for one in fixture.entries.taken["bat-scrub"]] == ["op-7"]


def test_the_gateways_no_is_shown_as_it_is(browser: Browser, address: str) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-scrub", refused=409) as page:
        page.get_by_label("Your pseudonym").fill(REFUSED_ACTOR)
        page.get_by_role("button", name="Acknowledge grace").click()
        expect(page.locator(".said")).to_have_text("the gateway refused it: its disk is full")
        expect(page.get_by_role("button", name="Acknowledge grace")).to_be_enabled()


def test_what_documents_say_is_text(browser: Browser, address: str) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-ext") as page:
        expect(page.locator(".conditions")).to_contain_text(HOSTILE)
        expect(page.locator(".recorded")).to_contain_text(HOSTILE)
        expect(page.locator(".facts")).to_contain_text(HOSTILE)
        assert page.locator("main img, main script").count() == 0
        page.goto(f"{address}{CALENDAR}")
        expect(page.locator(".groups")).to_contain_text(HOSTILE)
        assert page.locator("main img, main script").count() == 0
        expect(page).to_have_title("2 past - Calendar - La/Nd cascade")


def test_the_calendar_is_sorted_and_says_what_is_past_due(browser: Browser, address: str) -> None:
    with opened(browser, address, path=CALENDAR) as page:
        heads = page.locator(".groups h3")
        expect(heads).to_have_text(["Past (2)", "Within 30 days (2)", "Later (2)"])
        first = page.locator(".calendar tbody tr").nth(0)
        expect(first).to_contain_text("2026-11-18 10:00 UTC")
        expect(first).to_contain_text("past due by 3 days")
        expect(first).to_contain_text("Duty due")
        lefts = page.locator(".calendar .left").all_inner_texts()
        assert [text.split()[0] for text in lefts] == ["past", "2", "in", "in", "in", "in"]
        page.get_by_label("Machine").select_option("bat-ext")
        expect(heads).to_have_text(["Within 30 days (2)", "Later (2)"])
        assert page.url.endswith("#bat-ext")
        expect(page.locator(".calendar")).to_contain_text(["Permit ends", "Rule to be reviewed"])
        page.get_by_role("link", name="Extraction battery").first.click()
        expect(page.locator(".details h2")).to_have_text("Extraction battery")


def test_an_empty_calendar_says_so(browser: Browser, address: str, fixture: Fixture) -> None:
    fixture.scenario = "normal"
    with opened(browser, address, path=CALENDAR) as page:
        expect(page.locator(".empty")).to_have_text(
            "Nothing ends or falls due that this gateway knows of."
        )
        expect(page).to_have_title("Calendar - La/Nd cascade")
        page.goto(f"{address}{LICENCES}")
        expect(page.locator(".details")).to_contain_text(
            "The engine has not looked at this licence"
        )
        expect(page.locator(".bars")).to_have_text("No quota")


def test_the_keyboard_reaches_what_can_be_done(browser: Browser, address: str) -> None:
    with opened(browser, address, path=f"{LICENCES}#bat-scrub") as page:
        expect(page.get_by_role("button", name="Acknowledge grace")).to_be_visible()
        reached = []
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate(
                    """() => {
                         const a = document.activeElement;
                         const name = a === document.body ? '' : a.innerText || a.title;
                         return [name, getComputedStyle(a).outlineStyle];
                       }"""
                )
            )
        names = " ".join(name for name, _ in reached)
        for wanted in ("Plant", "Calendar", "Registry", "Extraction battery", "Acknowledge grace"):
            assert wanted in names
        assert {outline for name, outline in reached if name} == {"solid"}


def test_a_redraw_leaves_the_focus_where_it_is(browser: Browser, address: str) -> None:
    """The countdown changes each second; who walks by keyboard must not be thrown back."""
    with opened(browser, address, path=LICENCES) as page:
        card = page.locator(".card").nth(1)
        state = card.locator(".remark").first
        card.focus()
        before = state.inner_text()
        expect(state).not_to_have_text(before, timeout=15_000)
        expect(card).to_be_focused()
        page.goto(f"{address}{CALENDAR}")
        link = page.get_by_role("link", name="Strip battery").first
        link.focus()
        before = page.locator("header .time").inner_text()
        expect(page.locator("header .time")).not_to_have_text(before, timeout=15_000)
        expect(link).to_be_focused()


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_nothing_is_wider_than_the_screen(browser: Browser, address: str, size: str) -> None:
    with opened(browser, address, size, path=f"{LICENCES}#bat-ext") as page:
        expect(page.locator(".conditions")).to_be_visible()
        assert (overflowing(page), width(page)) == ([], SIZES[size][0])
        page.locator(".card", has_text="Scrub battery").click()
        expect(page.locator(".acknowledge")).to_be_visible()
        assert (overflowing(page), width(page)) == ([], SIZES[size][0])
        page.goto(f"{address}{CALENDAR}")
        expect(page.locator(".calendar").first).to_be_visible()
        assert (overflowing(page), width(page)) == ([], SIZES[size][0])


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm ci in gateway/web")
@pytest.mark.parametrize(
    ("size", "scheme", "path"),
    [
        ("desk", "light", f"{LICENCES}#bat-ext"),
        ("phone", "dark", f"{LICENCES}#bat-scrub"),
        ("phone", "light", CALENDAR),
    ],
)
def test_no_accessibility_violation(
    browser: Browser, address: str, size: str, scheme: str, path: str
) -> None:
    with opened(browser, address, size, path=path, color_scheme=scheme) as page:
        expect(page.locator(".sheet").first).to_be_visible()
        assert violations(page) == []


def test_the_plants_page_says_what_is_to_be_acknowledged(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        machines = page.locator(".machines li")
        expect(machines.nth(1)).to_contain_text(
            "to be acknowledged: grace, the licence's conditions"
        )
        page.get_by_role("link", name="Licences and conditions").click()
        expect(page.locator(".card").first).to_be_visible()


def test_the_fixtures_conditions_have_every_result_and_class() -> None:
    results = {item["result"] for item in page_licences.CONDITIONS}
    assert results == {"PASS", "FAIL", "INSUFFICIENT", "EXPIRED-RULE"}
    assert {item["class"] for item in page_licences.CONDITIONS} == {"D", "I", "X"}
