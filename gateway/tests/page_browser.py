"""Headless Chromium for the page's tests, and how a page is opened in it."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from raffinate.web.page import STATIC_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

AXE = Path(__file__).parents[1] / "web/node_modules/axe-core/axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
SIZES = {"wall": (3840, 2160), "desk": (1920, 1080), "phone": (360, 800)}
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(
        not (STATIC_DIR / "index.html").is_file(),
        reason="the page is not built: npm ci && npm run build in gateway/web",
    ),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for a module's tests."""
    # Chromium refuses its sandbox to root, and containers have a small /dev/shm.
    flags = ["--disable-dev-shm-usage", "--disable-gpu"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield made
        made.close()


@contextmanager
def opened(
    browser: Browser,
    address: str,
    size: str = "desk",
    *,
    path: str = "/",
    refused: int | None = None,
    **options: Any,
) -> Iterator[Page]:
    """A page with its values in; afterwards nothing may have gone wrong in it.

    `refused`: a status of answers that the test is about; the browser tells of them in its console.
    """
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    wrong: list[str] = []
    requested: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.extend([message.text] * (message.type == "error")))
    page.on("request", lambda request: requested.append(request.url))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    try:
        page.goto(address + path)
        expect(page.locator("header .age")).to_contain_text(re.compile("ago|No data"))
        yield page
        known = ("net::ERR_CONNECTION_", f"status of {refused} ")
        lost = [text for text in wrong if not any(part in text for part in known)]
        foreign = [url for url in requested if not url.startswith(address)]
        assert (lost, foreign) == ([], [])
    finally:
        context.close()


def violations(page: Page) -> list[Any]:
    """What axe-core finds wrong: rule, impact and elements."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    return [
        (rule["id"], rule["impact"], [node["html"][:160] for node in rule["nodes"]][:3])
        for rule in found["violations"]
    ]


def width(page: Page) -> int:
    """What the page takes across, pixels."""
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found


def overflowing(page: Page) -> list[str]:
    """Elements of the page whose contents are wider than they are."""
    found: list[str] = page.locator("main *").evaluate_all(
        """all => all.filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
             && getComputedStyle(e).display !== 'inline' && !e.closest('.hidden, thead, input')
           ).map((e) => e.className || e.tagName)"""
    )
    return found


def fill_lot(page: Page, name: str, **over: str) -> None:
    """Choose and fill in the form of a lot."""
    page.locator("#entry-kind").select_option("lot")
    values = {
        "Id (needed)": name,
        "Mass (needed)": "12.5",
        "Purity, % (needed)": "99.95",
        "Produced (needed)": "2026-11-02",
        "Destination (needed)": "DE",
        "End use (needed)": "magnets",
        **over,
    }
    for label, value in values.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Element (needed)").select_option("Nd")
    page.get_by_label("Unit (needed)").select_option("kg")
