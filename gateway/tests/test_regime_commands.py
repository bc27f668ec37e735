"""`raffinate regime`: what a person reads, and what is said of files that cannot be used."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from raffinate.cli import main
from raffinate.licence.shipped import shipped_files


def run(*words):
    return CliRunner().invoke(main, ["regime", *words])


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.toml"
    assert run("copy", "template", str(file)).exit_code == 0
    return file


def section(text, name):
    """The lines of one entry."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"  {name}  "))
    return "\n".join(lines[start : lines.index("", start)])


def test_show_says_how_the_equipment_rule_stood_and_why():
    told = run("show", "--on", "2025-11-08")
    assert told.exit_code == 0
    assert told.stdout.startswith("Not legal advice.")
    rule = section(told.stdout, "56")
    assert "56  suspended until 2026-11-10" in rule
    assert "evidence announced, as of 2025-11-10, review by 2026-11-10" in rule
    assert "why: suspended by No. 70 of 2025 from 2025-11-07 until 2026-11-10 (announced)" in rule
    assert "items: equipment, machinery, centrifugal-extraction-equipment" in rule
    assert "sources: chemradar-70, pillsbury, notes" in rule
    assert "  source pillsbury (secondary): " in told.stdout
    assert "18  in-force" in section(told.stdout, "18")
    assert "  elements that entries in force list: Sc, Y, Sm, Gd, Tb, Dy, Lu\n" in told.stdout


def test_show_gives_both_sides_of_a_conflict():
    told = run("show", "--on", "2025-11-08").stdout
    assert "conflicts with cn-mofcom-2025/news-ban: both are kept" in section(told, "18")
    assert "conflicts with cn-mofcom-2025/18: both are kept" in section(told, "news-ban")


def test_show_says_what_is_past_its_review_and_what_is_only_rumoured():
    rule = section(run("show", "--on", "2026-11-22").stdout, "56")
    assert "EXPIRED-RULE (the file would say: unknown)" in rule
    assert "an extension of No. 70 from 2026-11-11 with no end known (rumoured)" in rule
    today = run("show")
    assert today.exit_code == 0
    assert "EXPIRED-RULE" in section(today.stdout, "18")


def test_show_on_an_instant_is_finer_than_a_day():
    before = section(run("show", "--on", "2025-04-03T15:59:59Z").stdout, "18")
    after = section(run("show", "--on", "2025-04-03T16:00:00Z").stdout, "18")
    assert "18  not-yet until 2025-04-03" in before
    assert "18  in-force" in after


def test_show_tells_limits_denials_duties_and_retention():
    told = run("show", "--on", "2025-12-01").stdout
    assert "threshold: value-share-percent at-least 0.1" in section(told, "61/1-1")
    assert "denied (announced): military end users abroad" in section(told, "61/1-1")
    assert "cannot be checked by a machine: political" in section(told, "news-alignment")
    assert "duty: account for toxic waste" in section(told, "news-environment")
    assert "waiver (reported): customers whom" in section(told, "news-waivers")
    assert "records are kept 5 years from the latest of export" in section(told, "762.6")


def test_show_of_own_files_leaves_the_shipped_ones_out(mine):
    told = run("show", "--on", "2027-02-01", "--file", str(mine))
    assert "1/2-a  suspended until 2027-06-30" in told.stdout
    assert "cn-mofcom" not in told.stdout
    assert "A template: what it shows is nobody's rule." in told.stdout


def test_show_as_json_has_the_same_states():
    told = json.loads(run("show", "--on", "2025-11-08", "--json").stdout)
    assert told["notice"].startswith("Not legal advice")
    china = next(item for item in told["regimes"] if item["id"] == "cn-mofcom-2025")
    assert china["on"] == "2025-11-08"
    assert china["at_ms"] == 1_762_531_200_000
    assert china["elements"]["Dy"] == ["cn-mofcom-2025/18"]
    entries = {item["ref"]: item for item in china["entries"]}
    rule = entries["cn-mofcom-2025/56"]
    assert (rule["state"], rule["expired_rule"], rule["binds"]) == ("suspended", False, False)
    assert rule["instrument"]["valid_from"] == "2025-11-08"
    assert rule["instrument"]["suspensions"][1]["evidence"] == "rumoured"
    assert entries["cn-mofcom-2025/61/1-1"]["instrument"]["thresholds"][0]["limit"] == 0.1


@pytest.mark.parametrize(
    "day", ["2025-13-01", "yesterday", "2025-11-08T00:00:00", "", "0001-01-01"]
)
def test_a_day_that_is_none_is_told(day):
    told = run("show", "--on", day)
    assert told.exit_code == 2
    assert "--on" in told.stderr
    assert "write" in told.stderr


def test_check_names_digest_and_overdue_reviews(tmp_path, mine):
    china = tmp_path / "china.toml"
    china.write_bytes(shipped_files()["cn-mofcom-2025"])
    told = run("check", str(mine), str(china))
    assert told.exit_code == 0
    assert "Regime my-regime: 2 entries, as of 2026-11-01" in told.stdout
    assert "nothing in it counts as a rule" in told.stdout
    assert "the review of 20 entries is overdue" in told.stdout


def test_check_names_every_bad_file_with_line_and_remedy(tmp_path, mine):
    bad = tmp_path / "bad.toml"
    lines = mine.read_text().splitlines()
    number = lines.index('elements = ["La", "Nd"]') + 1
    lines[number - 1] = 'elements = ["Unobtainium"]'
    bad.write_text("\n".join(lines))
    odd = tmp_path / "odd.toml"
    odd.write_bytes(mine.read_text().encode("utf-16"))
    told = run("check", str(bad), str(odd), str(mine))
    assert told.exit_code == 2
    assert f"{bad} line {number}: instruments[1].elements is 'Unobtainium'" in told.stderr
    assert f"{odd} line 1: it is UTF-16" in told.stderr
    assert told.stdout == ""


def test_two_files_of_one_id_and_a_missing_file_are_told(tmp_path, mine):
    other = tmp_path / "other.toml"
    other.write_bytes(mine.read_bytes())
    told = run("show", "--file", str(mine), "--file", str(other))
    assert told.exit_code == 2
    assert "both have the id 'my-regime'" in told.stderr
    told = run("check", str(tmp_path / "none.toml"))
    assert told.exit_code == 1
    assert "none.toml cannot be read" in told.stderr


def test_copy_overwrites_nothing_and_knows_its_names(tmp_path, mine):
    assert "is there already" in run("copy", "template", str(mine)).stderr
    told = run("copy", "atlantis", str(tmp_path / "a.toml"))
    assert told.exit_code == 1
    assert "there is cn-mofcom-2025, eu-2021-821, template, us-ear-762" in told.stderr
    for name, data in shipped_files().items():
        file = tmp_path / f"{name}-copy.toml"
        assert run("copy", name, str(file)).exit_code == 0
        assert file.read_bytes() == data
