"""Each threat that software can see, found under its own code; every flipped bit is found."""

from __future__ import annotations

import multiprocessing
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from evidence_site import enrolled_site
from hostile import FIXTURES
from hostile_flips import flip_all, read_folder
from hostile_story import Framed, Plant, small
from licence_story import APPROVAL, CURRENT, NEEDS_APPROVAL, RESTS, Licensed
from raffinate.audit.bundle import export
from raffinate.audit.command import main
from raffinate.audit.findings import (
    CODES,
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    NOTICE,
    QUESTIONS,
)
from raffinate.audit.policy import format_policy, parse_policy
from raffinate.audit.report import as_json, as_text, exit_status
from raffinate.audit.source import open_source
from raffinate.audit.verify import verify
from raffinate.keys import load_public

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threats.md"
PROCESSES = 2
STATUS = {FAIL: 4, EXPIRED_RULE: 5, INSUFFICIENT: 3}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Every fixture, made once."""
    folder = tmp_path_factory.mktemp("hostile")
    return {name: fixture.build(folder / name) for name, fixture in FIXTURES.items()}


def test_the_plants_that_become_hostile_are_honest_before(tmp_path):
    plain, framed = Plant(tmp_path / "plain"), Framed(tmp_path / "framed", 14)
    licensed = Licensed(tmp_path / "licensed")
    licensed.state(CURRENT)
    licensed.state(APPROVAL)
    licensed.license(RESTS + NEEDS_APPROVAL)
    for plant in (plain, licensed):
        plant.usage()
    for plant in (plain, framed, licensed):
        plant.finish()
    for plant in (plain, licensed):
        assert set(plant.judge_it().counts) == {"FRAMES-ABSENT"}
    assert set(framed.judge_it().counts) <= {"TIME-BOUND"}  # the boot alone: nothing was seen yet
    expected = {fixture.code for fixture in FIXTURES.values()}
    assert not expected & {"FRAMES-ABSENT", "TIME-BOUND"}


@pytest.mark.parametrize("name", FIXTURES)
def test_a_hostile_bundle_is_found_under_its_code(built, name):
    code = FIXTURES[name].code
    result = built[name].judge_it()
    assert result.counts[code] >= 1, dict(result.counts)
    known = CODES[code]
    assert code in as_text(result)
    assert code in as_json(result)["counts"]
    if known.effect == NOTICE:
        return
    for question in QUESTIONS if known.question is None else [known.question]:
        assert result.verdict(question) in (known.effect, FAIL)
    assert exit_status(result) in (STATUS[known.effect], 4)


def test_the_command_ends_as_documented_for_a_hostile_bundle(built, tmp_path, capsys):
    for name in ("dropped-statement", "poisoned-receipt"):
        plant = built[name]
        policy = tmp_path / f"{name}.toml"
        policy.write_text(plant.maker.policy())
        status = main([str(plant.folder), "--policy", str(policy), "--processes", "1"])
        out = capsys.readouterr()
        code = FIXTURES[name].code
        assert status == STATUS[CODES[code].effect]
        assert code in out.out
        assert "Traceback" not in out.out + out.err


def test_a_gateway_restored_from_an_old_copy_is_found_by_what_its_node_saw(tmp_path):
    site, (node,) = enrolled_site(tmp_path / "site")
    site.submit(node, node.boot())
    site.close()
    shutil.copytree(site.data, tmp_path / "copy")
    site.open()
    site.submit(node, node.usage())
    site.submit(node, node.usage())
    log = site.service._log
    node.seen = {"size": log.size, "root": log.root.hex()}
    site.close()
    shutil.rmtree(site.data)
    shutil.copytree(tmp_path / "copy", site.data)
    site.open()
    site.submit(node, node.usage())
    site.tick(61_000)
    assert {"SEEN-AHEAD", "MISSING"} <= {found.code for found in site.service.findings()}
    site.close()
    target = tmp_path / "bundle"
    export(site.keys, site.data, [], target, now_ms=site.now_ms)
    policy = parse_policy("policy", format_policy(load_public(site.keys), [], []))
    result = verify(open_source(target), policy)
    assert result.counts["SEEN-AHEAD"] == 1
    assert result.counts["MISSING"] == 1
    assert result.verdict("authentic") == FAIL


@pytest.mark.timeout(1200)  # 74 s of CPU, on a machine that has others to serve
def test_every_single_bit_flip_of_a_small_bundle_is_found(tmp_path):
    plant = small(tmp_path)
    assert plant.judge_it().verdict("authentic") == "PASS"
    files = read_folder(plant.folder)
    kinds = {path.split("/")[0] for path in files}
    assert kinds >= {"MANIFEST.json", "log", "equipment", "licences", "blobs", "frames"}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        shares = [
            pool.submit(flip_all, files, plant.maker.policy(), share, PROCESSES)
            for share in range(PROCESSES)
        ]
        outcomes = [share.result() for share in shares]
    assert [missed for _, missed in outcomes] == [[]] * PROCESSES
    assert sum(tried for tried, _ in outcomes) == 8 * sum(map(len, files.values()))


def rows(heading):
    """The rows of the table under a heading of docs/threats.md."""
    text = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)[1:]
    return [line.split(" | ") for line in lines]


def test_the_table_of_threats_has_every_fixture_with_its_code():
    found = {
        (threat, name.strip("`"), code.strip("`"))
        for threat, name, code, _ in rows("Seen in a bundle")
    }
    assert found == {(one.threat, name, one.code) for name, one in FIXTURES.items()}
    for _, _, code, effect in rows("Seen in a bundle"):
        assert CODES[code.strip("`")].effect == effect


def test_the_tests_that_the_table_names_are_there():
    for threat, _, _, test in rows("Seen while it happens"):
        path, _, name = test.strip("`").partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), threat


def test_every_threat_is_in_a_table():
    threats = {row[0] for heading in ("Seen in a bundle", "Seen while it happens",
               "Not seen by software") for row in rows(heading)}  # fmt: skip
    assert threats >= {fixture.threat for fixture in FIXTURES.values()}
    assert {row[0] for row in rows("Threats")} == threats
