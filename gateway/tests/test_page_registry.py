"""The registry's page in headless Chromium: list, forms, preview, sending; and a real gateway."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from page_browser import (
    AXE,
    MARKS,
    SIZES,
    chromium,
    fill_lot,
    opened,
    overflowing,
    violations,
    width,
)
from page_licences import ASSAY, HOSTILE, LOT, REFUSED_ACTOR, fill
from page_server import Fixture, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = MARKS
REGISTRY = "/registry/"


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
    fixture.entries.documents.clear()
    fill(fixture.entries)


def test_a_form_is_looked_at_byte_by_byte_and_then_sent(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    with opened(browser, address, path=REGISTRY) as page:
        fill_lot(page, "LOT-18", **{"End use (needed)": HOSTILE})
        page.get_by_label("Equipment (serials)").fill("MS6-2041\nMS6-2042\n")
        page.get_by_role("button", name="Preview").click()
        check = page.locator(".entry .check")
        expect(check).to_be_focused()
        text = check.locator("pre").text_content() or ""
        assert 'equipment = ["MS6-2041", "MS6-2042"]' in text
        digest = sha256(text.encode()).hexdigest()
        expect(check.locator("dl")).to_contain_text(digest)
        expect(check.locator("dl")).to_contain_text("Lot LOT-18 version 1")
        expect(check).to_contain_text(f"party {HOSTILE} is not in the registry")
        expect(check).to_contain_text("Whether they count is the auditor's policy's to decide.")
        assert len(fixture.entries.documents) == 3, "a preview sends nothing"
        page.get_by_label("Your pseudonym").fill("op-7")
        page.get_by_role("button", name="Send to the log").click()
        expect(page.locator("#entry-said")).to_have_text("Lot LOT-18 version 1: log entry 2003")
        expect(check).to_be_hidden()
        expect(page.locator(".list")).to_contain_text("LOT-18")
        assert page.locator("main img, main script").count() == 0
    assert fixture.entries.documents[-1][0].decode() == text


def test_a_change_after_the_preview_takes_it_back(browser: Browser, address: str) -> None:
    with opened(browser, address, path=REGISTRY) as page:
        fill_lot(page, "LOT-18")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator(".entry .check")).to_be_visible()
        page.get_by_label("Mass (needed)").fill("13")
        expect(page.locator(".entry .check")).to_be_hidden()


def test_an_error_stands_at_its_field(browser: Browser, address: str) -> None:
    with opened(browser, address, path=REGISTRY, refused=400) as page:
        fill_lot(page, "LOT-18", **{"Mass (needed)": "12,5"})
        page.get_by_role("button", name="Preview").click()
        mass = page.get_by_label("Mass (needed)")
        expect(mass).to_be_focused()
        expect(mass).to_have_attribute("aria-invalid", "true")
        expect(mass).to_have_accessible_description(re.compile("is '12,5'; write a number"))
        expect(page.locator("#entry-said")).to_contain_text("see the marked field")
        mass.fill("12.5")
        page.get_by_role("button", name="Add to attachments").click()
        page.get_by_label("Name", exact=False).last.fill("analysis.pdf")
        page.get_by_role("button", name="Preview").click()
        attached = page.locator(".row").get_by_label("SHA-256")
        expect(attached).to_be_focused()
        expect(page.locator(".row .field-error").last).to_contain_text("is missing; add it")
        page.get_by_role("button", name="Remove from attachments").click()
        page.get_by_role("button", name="Preview").click()
        expect(page.locator(".entry .check")).to_be_visible()


def test_a_file_is_sent_as_it_is(
    browser: Browser, address: str, fixture: Fixture, tmp_path: Path
) -> None:
    data = LOT.replace(b"LOT-17", b"LOT-20").replace(b"\n", b"\r\n")
    path = tmp_path / "lot.toml"
    path.write_bytes(data)
    wrong = tmp_path / "gbk.toml"
    wrong.write_bytes("kind = '\u78c1'".encode("gbk"))
    with opened(browser, address, path=REGISTRY, refused=400) as page:
        page.get_by_label("Upload or paste a file").check()
        page.get_by_label("TOML file").set_input_files(wrong)
        expect(page.locator("#entry-said")).to_contain_text("no text in UTF-8")
        page.get_by_label("TOML file").set_input_files(path)
        expect(page.locator("#entry-said")).to_contain_text("lot.toml: ")
        page.get_by_role("button", name="Preview").click()
        check = page.locator(".entry .check")
        expect(check.locator("dl")).to_contain_text(sha256(data).hexdigest())
        page.get_by_label("Your pseudonym").fill("op-7")
        page.get_by_role("button", name="Send to the log").click()
        expect(page.locator("#entry-said")).to_contain_text("Lot LOT-20 version 1: log entry 2003")
        assert fixture.entries.documents[-1][0] == data
        page.get_by_label("Or its text").fill("kind = 'lot'\nid = 3\n")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#entry-said")).to_contain_text("document line 2: id is 3")


def test_a_refusal_of_the_gateway_keeps_what_was_written(browser: Browser, address: str) -> None:
    with opened(browser, address, path=REGISTRY, refused=409) as page:
        fill_lot(page, "LOT-18")
        page.get_by_role("button", name="Preview").click()
        page.get_by_label("Your pseudonym").fill(REFUSED_ACTOR)
        page.get_by_role("button", name="Send to the log").click()
        expect(page.locator(".entry .check .said")).to_have_text(
            "the gateway refused it: its disk is full"
        )
        expect(page.get_by_label("Id (needed)")).to_have_value("LOT-18")


def test_the_list_is_searched_and_a_next_version_is_written(browser: Browser, address: str) -> None:
    with opened(browser, address, path=REGISTRY) as page:
        rows = page.locator(".list tbody tr")
        expect(rows).to_have_count(3)
        expect(rows.nth(2)).to_contain_text(HOSTILE)
        expect(page.locator(".documents")).to_contain_text("the auditor's policy decides")
        expect(page.locator(".documents")).to_contain_text("Suggestions only: nothing is merged")
        expect(page.locator(".documents")).to_contain_text("the auditor uses his own")
        expect(rows.filter(has_text="AS-3")).to_contain_text("key 3f9ac0d1e2b34455 of the policy")
        expect(rows.filter(has_text="LOT-17")).to_contain_text("the policy lists it")
        expect(rows.nth(2)).to_contain_text("nobody whom the policy names")
        page.get_by_label("Which party may this name be").fill("Magnet Wks")
        page.get_by_role("button", name="Suggest").click()
        expect(page.locator(".parties li")).to_have_text(
            "Magnet Works, party magnet-works: likeness 91 of 100"
        )
        page.get_by_label("Search").fill("assay 3f9a")
        expect(rows).to_have_count(1)
        page.get_by_label("Search").fill("")
        page.locator("#list-kind").select_option("assay")
        expect(rows).to_have_count(1)
        page.get_by_role("button", name="AS-3").click()
        expect(page.locator(".documents .check pre")).to_have_text(ASSAY.decode())
        page.get_by_role("button", name="Write its next version").click()
        expect(page.get_by_label("Version", exact=True)).to_have_value("2")
        expect(page.get_by_label("Mass fraction", exact=False)).to_have_value("0.857")
        page.get_by_role("button", name="Preview").click()
        page.get_by_label("Your pseudonym").fill("op-7")
        page.get_by_role("button", name="Send to the log").click()
        expect(page.locator("#entry-said")).to_contain_text("Assay AS-3 version 2: log entry 2003")
        expect(rows).to_have_count(1)
        page.get_by_label("Older versions too").check()
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("1, replaced")


def test_an_empty_registry_says_what_to_do(
    browser: Browser, address: str, fixture: Fixture
) -> None:
    fixture.entries.documents.clear()
    with opened(browser, address, path=REGISTRY) as page:
        expect(page.locator(".documents")).to_contain_text(
            "No documents yet. Enter the first below."
        )


def test_every_form_fits_a_phone(browser: Browser, address: str) -> None:
    with opened(browser, address, "phone", path=REGISTRY) as page:
        expect(page.locator("#entry-kind option")).to_have_count(14)
        kinds = page.locator("#entry-kind option").evaluate_all("all => all.map((o) => o.value)")
        for kind in kinds:
            page.locator("#entry-kind").select_option(kind)
            page.evaluate(
                "document.querySelectorAll('.form .inner > button').forEach((b) => b.click())"
            )
            assert (kind, overflowing(page), width(page)) == (kind, [], SIZES["phone"][0])


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm ci in gateway/web")
@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_no_accessibility_violation(browser: Browser, address: str, size: str, scheme: str) -> None:
    with opened(browser, address, size, path=REGISTRY, color_scheme=scheme) as page:
        page.get_by_role("button", name="AS-3").click()
        expect(page.locator(".documents .check pre")).to_be_visible()
        page.locator("#entry-kind").select_option("parameters" if size == "phone" else "licence")
        for button in page.locator(".form .inner > button").all():
            button.click()
        assert (overflowing(page), violations(page)) == ([], [])
