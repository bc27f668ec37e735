"""The auditor's HTML report: what it says, that nothing in a bundle can make markup of it."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from raffinate.audit.command import main
from raffinate.audit.findings import CODES, QUESTIONS
from raffinate.audit.html_report import SHOWN_MAX, About, as_html
from raffinate.audit.markup import span, text, utc
from raffinate.audit.picture import picture
from raffinate.audit.policy import parse_policy
from raffinate.audit.result import KeySeen, LicenceSeen, Meter, Result
from raffinate.audit.timeline import GAP, UNACCOUNTED, Timeline
from raffinate.cli.audit import audit
from verify_story import Story

NOW_MS = 1_795_300_000_000
BEGIN_MS = 1_795_255_200_000
HOUR_MS = 3_600_000
EVIL = "<script src=https://example.org/x.js>alert(1)</script>\"'&\u202e\x00"
VOID = {"meta", "br", "rect", "path", "line", "circle"}


class Outline(HTMLParser):
    """Elements as they nest; raises on what does not close."""

    def __init__(self):
        super().__init__()
        self.open, self.names, self.attributes, self.heads = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.heads.append((self.open[-1], data))


def outline(page):
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def about(policy=None, **changes):
    given_policy = "policy.toml" if policy else None
    values = [EVIL, given_policy, policy, None, None, None, NOW_MS]
    names = ("bundle", "policy_file", "policy", "start", "end", "pin", "made_ms")
    return About(**{**dict(zip(names, values, strict=True)), **changes})


def line():
    """Ten hours: run, idle, a signed gap of an hour, 10 min that nobody accounts for."""
    found = Timeline()
    found.use(BEGIN_MS, BEGIN_MS + 4 * HOUR_MS, 4 * HOUR_MS)
    found.use(BEGIN_MS + 4 * HOUR_MS, BEGIN_MS + 6 * HOUR_MS, 0)
    found.miss(BEGIN_MS + 6 * HOUR_MS, BEGIN_MS + 7 * HOUR_MS)
    found.gap(BEGIN_MS + 6 * HOUR_MS, BEGIN_MS + 7 * HOUR_MS, "power-cut" + EVIL)
    found.miss(BEGIN_MS + 7 * HOUR_MS, BEGIN_MS + 7 * HOUR_MS + 600_000)
    found.use(BEGIN_MS + 7 * HOUR_MS + 600_000, BEGIN_MS + 10 * HOUR_MS, 2 * HOUR_MS)
    found.settle()
    return found


def full():
    """A result that has everything, all of it hostile."""
    result = Result(origin=EVIL, size=900, root=bytes(32), entries=900, statements=880)
    result.anchor_ms, result.anchored = NOW_MS, 890
    for number in range(SHOWN_MAX + 5):
        result.add("MISSING", f"{number} {EVIL}", index=number, node=EVIL, seq=7)
    result.add("FILE-CHANGED", EVIL, file=EVIL)
    result.add("STARTED-ANYWAY", EVIL, index=3, node="n01", equipment=EVIL)
    result.timelines[EVIL] = line()
    result.meters[EVIL] = Meter(EVIL, None, (0, 0, 0), NOW_MS, (HOUR_MS, 2, 4500))
    result.licences[EVIL] = LicenceSeen(EVIL, None, None)
    result.keys.append(KeySeen("node", EVIL, EVIL, 4, "revoked", 9, NOW_MS, ("U",), EVIL, EVIL))
    return result


def test_nothing_in_a_bundle_makes_markup_or_asks_for_anything_outside():
    page = as_html(full(), about(start=EVIL, pin=EVIL))
    found = outline(page)
    assert not {"script", "link", "img", "iframe", "object", "a:href"} & set(found.names)
    assert "\x00" not in page
    assert "\u202e" not in page
    targets = [value for _, name, value in found.attributes if name in ("href", "src")]
    assert targets
    assert all(value.startswith("#") for value in targets)
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert "url(http" not in page
    assert "@import" not in page
    assert page.count("&lt;script") > 10


def test_verdicts_stand_with_what_keeps_them_from_pass_and_each_code_with_its_remedy():
    result = full()
    page = as_html(result, about())
    heads = outline(page).heads
    levels = [int(tag[1]) for tag, _ in heads]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for code in result.counts:
        assert text(CODES[code].meaning) in page
        assert text(CODES[code].remedy) in page
        assert page.count(f'id="{code}"') == 1
        assert f'href="#{code}"' in page
    for question in QUESTIONS:
        assert question in page
    assert "entry 0, " in page
    assert "and 5 more" in page
    assert "unwitnessed suffix 10 entries" in page
    assert "last anchor 2026-11-21 22:26:40 UTC" in page


def test_every_table_has_heads_and_a_caption():
    page = as_html(full(), about())
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)
    assert len(tables) >= 6
    for one in tables:
        assert one.count("<caption>") == 1
        assert 'scope="col"' in one
        assert 'scope="row"' in one


def test_a_time_line_is_drawn_with_its_shares_and_described():
    drawn = picture("SN-1", line(), 0)
    root = ET.fromstring(drawn)  # noqa: S314 - our own text
    assert root.attrib["aria-labelledby"] == "t0 d0"
    described = root.find("desc").text
    assert "attested running 6.00 h" in described
    assert "gap with stated cause 60.0 min" in described
    assert "unaccounted 10.0 min" in described
    widths = {}
    for rect in root.findall("rect"):
        fill = rect.attrib["fill"]
        area = float(rect.attrib["width"]) * float(rect.attrib["height"])
        widths[fill] = widths.get(fill, 0) + area
    assert widths["url(#gap)"] / (700 * 46) == pytest.approx(0.1, rel=0.05)
    assert widths["url(#unacc)"] / (700 * 46) == pytest.approx(1 / 60, rel=0.1)
    labels = [label.text for label in root.findall("text")]
    assert labels[0] == "1"
    assert labels[1] == "2026-11-21 10:00"
    assert "14:00" in labels


def test_a_second_that_nobody_accounts_for_is_seen_in_a_year():
    found = Timeline()
    found.use(BEGIN_MS, BEGIN_MS + 200 * 24 * HOUR_MS, 0)
    end_ms = BEGIN_MS + 200 * 24 * HOUR_MS
    found.miss(end_ms, end_ms + 1000)
    found.use(end_ms + 1000, end_ms + 100 * 24 * HOUR_MS, 0)
    drawn = picture("SN-1", found, 0)
    assert 'fill="url(#unacc)"' in drawn
    assert drawn.count("<path") == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 1 << 47), st.integers(0, 1 << 40), st.integers(0, 3)), max_size=6
    )
)
def test_any_time_line_is_drawn_whole(parts):
    found = Timeline()
    for start, length, kind in parts:
        if kind == GAP:
            found.gap(start, start + length, "x")
        elif kind == UNACCOUNTED:
            found.miss(start, start + length)
        else:
            found.use(start, start + length, length if kind else 0)
    found.settle()
    root = ET.fromstring(picture("x", found, 0))  # noqa: S314 - our own text
    for rect in root.findall("rect"):
        assert float(rect.attrib["x"]) >= 0
        assert float(rect.attrib["y"]) >= 0
        assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= 723


@given(st.text() | st.characters(categories=["Cs"]))
def test_any_text_is_escaped_and_can_be_written(found):
    shown = text(found)
    shown.encode()
    assert not set(shown) & set("<>\"'\x00\n\u202e\u2066")


def test_times_beyond_the_calendar_are_numbers():
    assert utc(None) == "none"
    assert utc(1 << 53) == f"{1 << 53} ms"
    assert [span(ms) for ms in (45_000, 750_000, 26_100_000)] == ["45 s", "12.5 min", "7.25 h"]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    made = Story(folder)
    made.finish()
    (folder / "policy.toml").write_text(made.maker.policy())
    return made


def test_both_commands_write_it(story, tmp_path):
    policy = story.folder.parent / "policy.toml"
    names = [str(story.folder), "--policy", str(policy), "--html"]
    status = main([*names, str(tmp_path / "one.html")])
    done = CliRunner().invoke(audit, ["verify", *names, str(tmp_path / "two.html")])
    assert done.exit_code == status
    pages = [(tmp_path / name).read_text() for name in ("one.html", "two.html")]
    stamp = re.compile(r"[\d-]+ [\d:]+ UTC")
    assert stamp.sub("", pages[0]) == stamp.sub("", pages[1])
    outline(pages[0])
    assert parse_policy("policy", policy.read_text()).file_sha256 in pages[0]
    assert "SN-0" in pages[0]
    assert "FRAMES-ABSENT" in pages[0]
    assert "Not legal advice." in pages[0]
    assert "no earlier checkpoint was pinned" in pages[0]


def test_registers_and_licences_are_those_of_the_log(story):
    result = story.judge(finish=False)
    assert set(result.meters) == {"SN-0", "SN-1"}
    for serial, meter in result.meters.items():
        running_ms = result.timelines[serial].totals()[0]
        assert meter.end[0] - meter.begin[0] == running_ms > 0
    assert [seen.vouched for seen in result.licences.values()] == ["list"] * len(result.licences)
    assert len(result.licences) == 2
    assert {(key.role, key.state) for key in result.keys} >= {
        ("authority", "in use"),
        ("node", "in use"),
    }


def test_without_a_policy_nobody_vouches_and_a_folder_that_is_not_there_is_named(
    story, tmp_path, capsys
):
    page = tmp_path / "r.html"
    main([str(story.folder), "--html", str(page)])
    assert "Nobody outside the bundle" in page.read_text()
    assert main([str(story.folder), "--html", str(tmp_path / "no" / "r.html")]) == 1
    assert "r.html: the result cannot be written" in capsys.readouterr().err


@pytest.mark.browser
def test_it_prints_on_a4_without_a_picture_cut_off(tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is one

    page_file = tmp_path / "r.html"
    page_file.write_text(as_html(full(), about()))
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        problems = []
        for width in (360, 703):  # a phone; A4 within its margins
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.emulate_media(media="print" if width > 400 else "screen")
            page.on("console", lambda message: problems.append(message.text))
            page.goto(page_file.as_uri())
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, width
        browser.close()
        assert problems == []
