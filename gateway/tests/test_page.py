"""The built page in real headless Chromium, over known data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from page_browser import AXE, MARKS, SIZES, chromium, opened, violations
from page_server import Fixture, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

NOT_NORMAL = 9

pytestmark = MARKS


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture()


@pytest.fixture(scope="module")
def address(fixture: Fixture) -> Iterator[str]:
    with served(fixture.app()) as base:
        yield base


@pytest.fixture(autouse=True)
def _normal_again(fixture: Fixture) -> Iterator[None]:
    yield
    fixture.scenario = "normal"


def cell(page: Page, point: str) -> Any:
    return page.locator(f'td[data-point="{point}"]')


def test_every_point_is_shown_in_operators_units(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    with opened(browser, address) as page:
        assert page.locator("td.cell").count() == len(fixture.plant.points) == 96
        for point, factor, digits in (("e01/ph", 1, 2), ("e01/cond", 10, 1), ("t04/level", 100, 0)):
            expect(cell(page, point)).to_have_attribute("data-condition", "normal")
            shown = float(cell(page, point).inner_text().replace("\u2212", "-"))
            # The value moves while it is read; its band is narrow enough to tell its unit.
            low, high = fixture.plant.points[point].normal or (0, 0)
            assert low * factor <= shown <= high * factor
            assert shown == round(shown, digits)
        heads = page.locator(".across tbody th").all_inner_texts()
    assert heads == [
        "pH",
        "Conductivity mS/cm",
        "Aqueous flow L/h",
        "Organic flow L/h",
        "Temperature \u00b0C",
        "Level %",
    ]


def test_the_picture_names_every_stream(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        texts = page.locator(".picture text").all_text_contents()
        label = page.locator(".picture").get_attribute("aria-label") or ""
        shells = page.locator(".picture .shell").count()
    assert set(texts) == {
        "Extraction",
        "Scrub",
        "Strip",
        "Organic in",
        "Raffinate",
        "Feed",
        "Scrub acid",
        "Product",
        "Strip acid",
        "Organic out",
    }
    assert shells == 16
    assert "Feed enters at e06" in label


def test_where_all_is_normal_nothing_is_coloured(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        expect(page.locator(".attention")).to_have_text("All 96 points normal")
        assert page.locator('.cell:not([data-condition="normal"])').count() == 0
        assert page.locator('[data-level="warning"], [data-level="alarm"]').count() == 0
        greys = page.evaluate(
            """() => [...document.querySelectorAll('.cell')].every(
                 (c) => getComputedStyle(c).backgroundColor === 'rgba(0, 0, 0, 0)')"""
        )
        assert greys
        expect(page.locator(".site-note")).to_have_text("bench scale, simulated")


def test_what_is_not_normal_has_colour_shape_and_words(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    fixture.scenario = "alarm"
    with opened(browser, address) as page:
        for point, condition, words in (
            ("e01/ph", "low", r"e01 pH: 1\.\d\d, low, normal 1\.73 to 1\.97"),
            ("s06/cond", "high", r"s06 Conductivity: 17\d\.\d mS/cm, high, normal"),
            ("e05/cond", "failure", r"e05 Conductivity: F open, failure"),
            ("s02/ph", "check", r"s02 pH: C calibrating, function check"),
            ("s04/level", "spec", r"s04 Level: S over-range, out of specification"),
            ("t02/ph", "maintenance", r"t02 pH: M slope, maintenance required"),
            ("t03/temp", "stale", r"t03 Temperature: 2\d\.\d °C, old, measured 1[1-4] s ago"),
        ):
            expect(cell(page, point)).to_have_attribute("data-condition", condition)
            expect(cell(page, point)).to_have_attribute("aria-label", re.compile(words))
            assert cell(page, point).locator("svg").get_attribute("data-icon") == condition
        assert page.locator('.cell:not([data-condition="normal"])').count() == NOT_NORMAL
        attention = page.locator(".attention")
        expect(attention).to_contain_text("pH low: e01, e02, e03")
        expect(attention).to_contain_text("Ingest: storage full")
        expect(page).to_have_title("9 not normal - La/Nd cascade")


def test_permits_count_down_in_words(browser: Browser, address: str, fixture: Fixture) -> None:
    fixture.scenario = "alarm"
    with opened(browser, address) as page:
        machines = page.locator(".machines li")
        expect(machines.nth(0)).to_contain_text("Start permitted, permit ends in 23 h")
        expect(machines.nth(0)).to_contain_text("runs")
        # Which of the two depends on how long the module's server has run: 20 s of grace.
        expect(machines.nth(1)).to_contain_text(re.compile(r"starts refused in \d+ s|has ended"))
        expect(machines.nth(1)).to_contain_text("licence L-2026-115 has ended")
        expect(machines.nth(2)).to_contain_text("Start refused for ")
        expect(machines.nth(2)).to_contain_text("no permit is in force")
        expect(machines.nth(2)).to_contain_text(
            re.compile("Start refused at .*: permit ended, 2 times")
        )
        expect(machines.nth(2)).to_contain_text("stopped")


def test_nodes_and_stores_show_health_and_evidence(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    fixture.scenario = "alarm"
    with opened(browser, address) as page:
        rows = page.locator(".nodes tbody tr")
        expect(rows.nth(0)).to_have_text(re.compile(r"n01\d s agoenrolledsetok4 s ago300, 1 open0"))
        expect(rows.nth(1)).to_contain_text("over 24 h old")
        expect(rows.nth(1)).to_contain_text("MISSING")
        expect(rows.nth(3)).to_contain_text("offline")
        expect(rows.nth(3)).to_contain_text("pending")
        stores = page.locator(".stores")
        expect(stores).to_contain_text(
            "data/archive.sqlite reached 2.0 GB; raise archive.bytes_max"
        )
        expect(stores).to_contain_text("2.0 GB of 2.0 GB")
        expect(stores).to_contain_text("1\u202f204 entries, root 9f0c51a3")


def test_values_are_provisional_until_a_statement_covers_them(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    with opened(browser, address) as page:
        ring = (
            "getComputedStyle(document.querySelector('[data-point=\"e01/ph\"]'), '::before').width"
        )
        expect(cell(page, "e01/ph")).to_have_attribute("data-provisional", "true")
        expect(cell(page, "e01/ph")).to_have_attribute("aria-label", re.compile(", provisional$"))
        assert page.evaluate(ring) != "auto"
        expect(page.locator(".legend")).to_contain_text("no signed statement covers it yet")
        expect(page.locator(".trend-now")).to_contain_text("provisional")
        # Samples stand still while statements go on: soon all of them are covered.
        fixture.scenario = "stale"
        expect(cell(page, "e01/ph")).to_have_attribute("data-provisional", "false", timeout=15_000)
        assert page.evaluate(ring) == "auto"


def test_witnesses_say_how_far_they_vouch_and_the_checkpoint_is_a_picture(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    with opened(browser, address) as page:
        stores = page.locator(".stores")
        expect(stores).to_contain_text("1\u202f200 entries at ")
        expect(stores).to_contain_text("4 unwitnessed for 9 s")
        page.get_by_role("button", name="Checkpoint").click()
        code = page.locator("dialog.qr img")
        expect(code).to_be_visible(timeout=15_000)
        expect(code).to_have_js_property("complete", value=True)
        assert code.evaluate("image => image.naturalWidth") > 20
        box = code.bounding_box() or {}
        assert box["width"] == pytest.approx(box["height"], abs=1)
        assert box["width"] > 200
        page.keyboard.press("Escape")
        expect(code).to_be_hidden(timeout=15_000)
        fixture.scenario = "alarm"
        witness = stores.locator("div", has_text="Witness").last
        expect(witness).to_contain_text("contradicts this log, 900 entries", timeout=15_000)
        expect(witness).to_contain_text("witness.example/auditor")
        expect(witness.locator("dd")).to_have_attribute("data-level", "warning")


def test_old_data_is_said_large_and_taken_back(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    with opened(browser, address) as page:
        banner = page.locator(".banner")
        expect(banner).to_be_hidden()
        fixture.scenario = "stale"
        expect(banner).to_contain_text("No new data from the plant. Values are old.")
        expect(banner).to_contain_text(re.compile(r"\d+ s$"))
        expect(page.locator(".attention")).to_contain_text("All 96 points: old")
        expect(page).to_have_title("Old values - La/Nd cascade")
        fixture.scenario = "normal"
        expect(banner).to_be_hidden()


def test_before_the_first_data_nothing_is_claimed(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    fixture.scenario = "empty"
    with opened(browser, address) as page:
        expect(page.locator("header .age")).to_have_text("No data yet")
        expect(page.locator(".attention")).to_contain_text("All 96 points: no value yet")
        expect(cell(page, "e01/ph")).to_have_text("\u2013")
        expect(page.locator(".banner")).to_be_hidden()


def test_a_lost_gateway_is_said_and_found_again(browser: Browser) -> None:
    first = Fixture()
    with served(first.app()) as base:
        port = int(base.rsplit(":", 1)[1])
        context = opened(browser, base)
        page = context.__enter__()
    banner = page.locator(".banner")
    expect(banner).to_contain_text("No connection to the gateway. Values are old.", timeout=15_000)
    expect(page.locator(".link")).to_have_text("Not connected")
    with served(first.app(), port):
        expect(banner).to_be_hidden(timeout=30_000)
        expect(page.locator(".link")).to_have_text("Connected")
        expect(cell(page, "e01/ph")).to_have_attribute("data-condition", "normal")
        context.__exit__(None, None, None)


def test_a_gateway_with_another_plant_reloads_the_page(browser: Browser) -> None:
    first = Fixture()
    with served(first.app()) as base:
        port = int(base.rsplit(":", 1)[1])
        context = opened(browser, base)
        page = context.__enter__()
    other = Fixture()
    object.__setattr__(other.plant, "name", "Another cascade")
    with served(other.app(), port):
        expect(page.locator("h1")).to_have_text("Another cascade", timeout=30_000)
        context.__exit__(None, None, None)


def test_the_trend_asks_for_its_span_and_draws_it(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        chart = page.locator(".trend .chart")
        expect(chart).to_have_attribute("aria-label", re.compile("e01/ph over 15 min, from"))
        with page.expect_response(re.compile("/api/v1/history")) as answer:
            page.locator(".spans label", has_text="24 h").click()
        query = answer.value.request.url
        assert "point=e01%2Fph" in query
        assert "buckets=450" in query
        assert answer.value.json()["width_ms"] == 192_000
        expect(chart).to_have_attribute(
            "aria-label", re.compile(r"e01/ph over 24 h, from 1\.\d\d to 1\.\d\d")
        )
        inked = page.evaluate(
            """() => {
                 const c = document.querySelector('.trend canvas');
                 const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
                 return new Set(new Uint32Array(d.buffer)).size;
               }"""
        )
        assert inked > 10
        chart.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".readout")).to_contain_text(
            re.compile(r"mean 1\.\d\d, lowest 1\.\d\d")
        )


def test_a_span_without_values_says_so(browser: Browser, address: str, fixture: Fixture) -> None:
    real = fixture.history
    fixture.history = lambda *question: [  # type: ignore[method-assign]
        type(bucket)(bucket.start_ms, 0, None, None, None) for bucket in real(*question)
    ]
    try:
        with opened(browser, address) as page:
            expect(page.locator(".readout")).to_have_text("No values in this span.")
    finally:
        del fixture.history


def test_the_address_keeps_the_trend(browser: Browser, address: str) -> None:
    with opened(browser, address, path="/#s03/temp,7d") as page:
        expect(page.locator(".trend select").nth(0)).to_have_value("s03")
        expect(page.locator(".trend select").nth(1)).to_have_value("temp")
        assert page.locator(".spans input:checked").get_attribute("value") == "7d"
        page.locator(".trend select").nth(0).select_option("t04")
        assert page.url.endswith("#t04/temp,7d")
        expect(cell(page, "t04/temp")).to_have_attribute("aria-selected", "true")


def test_the_keyboard_reaches_everything(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        reached = []
        for _ in range(16):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate(
                    """() => {
                         const a = document.activeElement;
                         const o = getComputedStyle(a.matches('input') ? a.nextElementSibling : a);
                         return [a.className || a.name || a.tagName, o.outlineStyle];
                       }"""
                )
            )
        names = [name for name, _ in reached]
        for wanted in ("theme", "cell first", "SELECT", "span", "chart", "scroll"):
            assert wanted in names
        shown = {name: outline for name, outline in reached if name != "BODY"}
        assert set(shown.values()) == {"solid"}


def test_arrows_walk_the_table_and_enter_shows_the_trend(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        cell(page, "e01/ph").focus()
        for key in ("ArrowRight", "ArrowDown", "ArrowDown", "End", "ArrowUp", "ArrowLeft"):
            page.keyboard.press(key)
        focused = page.evaluate("document.activeElement.dataset.point")
        assert focused == "t03/cond"
        page.keyboard.press("Enter")
        expect(page.locator(".trend select").nth(0)).to_have_value("t03")
        assert page.locator('td[tabindex="0"]').count() == 1


def test_the_theme_follows_the_device_until_chosen(browser: Browser, address: str) -> None:
    with opened(browser, address, color_scheme="dark") as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(ground)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(ground)
        assert dark != light
        page.locator(".theme").click()
        page.locator(".theme").click()
        assert page.evaluate(ground) == dark
        page.reload()
        expect(page.locator(".theme")).to_have_attribute("title", "Theme: dark")
        assert page.evaluate(ground) == dark


@pytest.mark.parametrize(
    ("size", "scenario"),
    [
        ("wall", "normal"),
        ("desk", "normal"),
        ("desk", "alarm"),
        ("desk", "stale"),
        ("phone", "alarm"),
        ("phone", "stale"),
    ],
)
def test_nothing_is_wider_than_the_screen(
    browser: Browser, address: str, fixture: Fixture, size: str, scenario: str
) -> None:
    fixture.scenario = scenario
    with opened(browser, address, size) as page:
        expect(cell(page, "e01/ph")).not_to_have_attribute("data-condition", "absent")
        across, down = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert across == SIZES[size][0]
        clipped = page.evaluate(
            """() => [...document.querySelectorAll('.cell .value')].filter((v) => {
                 const box = v.getBoundingClientRect();
                 const td = v.closest('td').getBoundingClientRect();
                 return box.left < td.left - 0.5 || box.right > td.right + 0.5;
               }).map((v) => v.closest('td').dataset.point)"""
        )
        assert clipped == []
        if scenario == "normal" and size != "phone":
            assert down == SIZES[size][1], "one screen holds everything"


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm ci in gateway/web")
@pytest.mark.parametrize(
    ("size", "scenario", "scheme"),
    [
        ("desk", "alarm", "light"),
        ("desk", "alarm", "dark"),
        ("desk", "stale", "light"),
        ("desk", "stale", "dark"),
        ("desk", "empty", "dark"),
        ("phone", "normal", "dark"),
        ("phone", "alarm", "light"),
    ],
)
def test_no_accessibility_violation(
    browser: Browser, address: str, fixture: Fixture, size: str, scenario: str, scheme: str
) -> None:
    fixture.scenario = scenario
    with opened(browser, address, size, color_scheme=scheme) as page:
        expect(page.locator(".stores dd").first).to_contain_text("connected")
        assert violations(page) == []
