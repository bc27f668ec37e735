"""The licence verdict, re-derived from a bundle alone: conditions, papers, rules, the times."""

from __future__ import annotations

import json
import re

import pytest

from hostile_story import DAY_MS
from licence_story import (
    APPROVAL,
    CURRENT,
    EXPIRED,
    NEEDS_APPROVAL,
    QUOTA,
    RESTS,
    STEP_MS,
    Licensed,
    digest_of,
    time_text,
)
from raffinate.audit.command import main
from raffinate.audit.report import as_json, as_text, exit_status
from verify_story import make

ALWAYS = {"FRAMES-ABSENT"}


@pytest.fixture
def plant(tmp_path):
    return Licensed(tmp_path)


def judged(plant):
    """(codes beside those of every story, verdict of SN-0)."""
    result = plant.judged()
    assert result.machines["SN-1"] == "PASS"
    assert result.verdict("authentic") == "PASS", result.counts
    return set(result.counts) - ALWAYS, result.machines["SN-0"]


def started(plant):
    """The first machine is started by leave of the newest permit, and runs two minutes."""
    plant.usage(uses=(True, STEP_MS, 1, STEP_MS))
    plant.usage()


def test_a_licence_with_conditions_that_hold_passes(plant):
    plant.state(CURRENT)
    plant.state(APPROVAL)
    digest = plant.license(
        RESTS + '[[quotas]]\nquantity = "run-h"\nlimit = 1\nperiod = "day"\n' + NEEDS_APPROVAL
    )
    started(plant)
    result = plant.judged()
    assert set(result.counts) == ALWAYS
    account = result.accounts["SN-0", "L-0", "Authority"]
    conditions = account.conditions
    assert {name: seen.worst for name, seen in conditions.items() if seen.worst != "PASS"} == {}
    assert conditions["rule:test/1"].last.evidence == "announced"
    assert ("approval A-7", digest_of(APPROVAL.encode())) in conditions[
        "document:approval"
    ].last.inputs
    assert account.versions[-1] == digest
    # Their first permits were given before any statement described the machines.
    assert {serial for serial, _, _ in result.accounts} == set(result.machines) == {"SN-0", "SN-1"}
    total = account.ledger.total()
    assert (total.run_ms, total.starts) == (6 * STEP_MS, 2)
    (quota,) = account.quotas
    assert (quota.used.low, quota.used.high) == (6 * STEP_MS, 6 * STEP_MS)


@pytest.mark.parametrize(
    ("terms", "codes", "verdict"),
    [
        (QUOTA.format("run-h", "0.09", "day"), {"QUOTA-EXCEEDED"}, "FAIL"),
        (QUOTA.format("run-h", "0.1", "licence"), set(), "PASS"),
        (QUOTA.format("volume-l", "359", "month"), {"QUOTA-EXCEEDED"}, "FAIL"),
        (QUOTA.format("reo-kg", "1", "year"), {"CONDITION-UNKNOWN"}, "INSUFFICIENT"),
        (NEEDS_APPROVAL, {"X-WITHOUT-PAPER"}, "INSUFFICIENT"),
        (RESTS, {"RULE-UNKNOWN"}, "INSUFFICIENT"),
        ('[use]\nsite = "elsewhere"\n', {"SCOPE-EXCEEDED"}, "FAIL"),
        ('[use]\nactivities = ["maintenance"]\n', {"SCOPE-EXCEEDED"}, "FAIL"),
        ('[use]\nsections = ["strip"]\n', {"SCOPE-EXCEEDED"}, "FAIL"),
        ('[use]\nsections = ["scrub", "extraction"]\n', set(), "PASS"),
        ("[conditions]\nsealed = true\nacknowledge = true\n", {"CONDITION-UNKNOWN"},
         "INSUFFICIENT"),
        ("[conditions]\nno_military_use = true\n", {"X-WITHOUT-PAPER", "CONDITION-UNKNOWN"},
         "INSUFFICIENT"),
        ('[[duties]]\nwhat = "use"\nto = "Authority"\ndue = 2026-03-01\n', {"DUTY-LATE"}, "FAIL"),
        ('[[discharge]]\noutfall = "o01"\npoint = "ph"\nlow = 6\n', {"CONDITION-UNKNOWN"},
         "INSUFFICIENT"),
        (QUOTA.format("run-h", "0.09", "day") + '[[waivers]]\ncondition = "quota:run-h/day"\n'
         'until = 2030-01-01\nwhy = "trial"\n', set(), "PASS"),
    ],
)  # fmt: skip
def test_each_condition_is_found_under_its_code(plant, terms, codes, verdict):
    plant.license(terms)
    started(plant)
    assert judged(plant) == (codes, verdict)


def test_stages_of_the_machine_that_the_licence_does_not_name(plant):
    plant.license(stages='["e02"]')
    started(plant)
    assert "SCOPE-EXCEEDED" in judged(plant)[0]


def test_a_rule_past_its_review_is_a_verdict_of_its_own(plant, tmp_path, capsys):
    plant.state(EXPIRED)
    plant.license(RESTS)
    started(plant)
    result = plant.judged()
    assert set(result.counts) - ALWAYS == {"EXPIRED-RULE"}
    assert result.verdict("licence-conformant") == result.machines["SN-0"] == "EXPIRED-RULE"
    (found,) = [item for item in as_json(result)["findings"] if item["code"] == "EXPIRED-RULE"]
    assert found["condition"]["class"] == "X"
    assert found["condition"]["evidence"] == "announced"
    assert digest_of(EXPIRED.encode()) in found["condition"]["rule"]
    assert exit_status(result) == 5
    digests = ", ".join(f'"{digest}"' for digest in sorted(plant.trusted.licences))
    policy = tmp_path / "policy.toml"
    policy.write_text(plant.maker.policy().replace("sha256 = [", f"sha256 = [{digests}, "))
    assert main([str(plant.folder), "--policy", str(policy)]) == 5
    assert re.search(r"^licence of SN-0 +EXPIRED-RULE$", capsys.readouterr().out, re.MULTILINE)


def test_a_newer_version_of_a_regime_does_not_heal_the_day_before_it(plant):
    plant.state(EXPIRED)
    plant.license(RESTS)
    started(plant)
    plant.state(CURRENT, version=2, replaces=digest_of(EXPIRED.encode()))
    plant.permit()
    result = plant.judged()
    assert result.counts["EXPIRED-RULE"] == 1
    assert (
        result.accounts["SN-0", "L-0", "Authority"].conditions["rule:test/1"].last.result == "PASS"
    )


def test_a_regime_that_the_policy_lists_counts_though_no_statement_names_it(plant):
    data = CURRENT.encode()
    plant.log.write(f"regimes/{digest_of(data)}.toml", data)
    plant.trust(licences=plant.trusted.licences | {digest_of(data)})
    plant.license(RESTS)
    started(plant)
    assert judged(plant) == (set(), "PASS")


ISSUER = make.Pair("issuer", 5)


@pytest.mark.parametrize(
    ("how", "codes"),
    [
        ({"trusted": True}, set()),
        ({"signer": ISSUER}, set()),
        ({"trusted": False}, {"X-WITHOUT-PAPER", "DOCUMENT-UNAUTHENTICATED"}),
        ({"signer": make.Pair("x", 6)}, {"X-WITHOUT-PAPER", "DOCUMENT-UNAUTHENTICATED"}),
        ({"signer": ISSUER, "type": b"application/vnd.raffinate.licence+toml"},
         {"X-WITHOUT-PAPER", "DOCUMENT-UNAUTHENTICATED"}),
        ({"data": APPROVAL.replace("2026-01", "2025-01").encode()},
         {"X-WITHOUT-PAPER", "DOCUMENT-ABSENT"}),
        ({"name": "A-8"}, {"X-WITHOUT-PAPER", "DOCUMENT-ABSENT"}),
        ({"version": 2}, {"X-WITHOUT-PAPER", "DOCUMENT-ABSENT", "DOCUMENT-ORDER"}),
    ],
)  # fmt: skip
def test_a_paper_counts_by_who_vouches_for_exactly_its_bytes(plant, how, codes):
    plant.trust(issuers=(ISSUER.spki,))
    plant.license(NEEDS_APPROVAL)
    started(plant)
    plant.state(APPROVAL, **how)
    assert judged(plant)[0] == codes


@pytest.mark.parametrize(("before", "codes"), [(True, set()), (False, {"X-WITHOUT-PAPER"})])
def test_a_document_that_binds_starts_must_be_there_before_the_permit(plant, before, codes):
    if before:
        plant.state(APPROVAL)
    plant.license(NEEDS_APPROVAL + "before_start = true\n")
    started(plant)
    if not before:
        plant.state(APPROVAL)
    assert judged(plant)[0] == codes


def test_papers_against_the_plant_count_whoever_wrote_them(plant):
    plant.license('[parties]\nend_user = "Magnet Works"\n')
    started(plant)
    screening = 'kind = "screening"\nid = "S-1"\nlist = "Denied parties"\nat = 2026-01-01\n'
    plant.state(screening + 'denied = ["Magnet Works"]\n', trusted=False)
    codes, verdict = judged(plant)
    assert (codes >= {"END-USE", "DOCUMENT-UNAUTHENTICATED"}, verdict) == (True, "FAIL")


def test_purity_above_the_licensed_one(plant):
    terms = '[[products]]\nelement = "Nd"\npurity_max_percent = 99.9\nmargin_percent = 0.1\n'
    plant.license(terms)
    started(plant)
    lot = 'kind = "lot"\nid = "LOT-1"\nelement = "Nd"\npurity_percent = 99.95\nmass = 1\n'
    lot += 'unit = "kg"\nproduced = 2026-11-02\ndestination = "DE"\nend_use = "magnets"\n'
    plant.state(lot, trusted=False)
    codes, verdict = judged(plant)
    assert ("PRODUCT-EXCEEDED" in codes, verdict) == (True, "FAIL")


def test_oxide_is_volume_times_a_vouched_assay(plant):
    plant.license(QUOTA.format("reo-kg", "1", "year"))
    started(plant)
    assay = 'kind = "assay"\nid = "F-1"\nof = "stream"\nsubject = "feed"\nlaboratory = "Lab"\n'
    assay += 'sampled = 2026-01-01\nreo_g_per_l = {}\n[[contents]]\nelement = "Nd"\n'
    plant.state(assay.format("0.5") + "mass_fraction = 0.5\n")
    result = plant.judged()
    assert set(result.counts) == ALWAYS
    (quota,) = result.accounts["SN-0", "L-0", "Authority"].quotas
    assert (quota.used.low, quota.used.high) == (180_000, 180_000)  # 360 L of 0.5 g/L, in mg


def test_a_replaced_version_is_judged_as_it_was_and_no_permit_may_rest_on_it(plant):
    old = plant.maker.licences["n01"]
    plant.license()
    started(plant)
    assert judged(plant) == (set(), "PASS")
    plant = Licensed(plant.folder.parent / "second")
    plant.license()
    plant.maker.licences["n01"] = old
    plant.permit()
    started(plant)
    assert judged(plant) == ({"LICENCE-SUPERSEDED"}, "FAIL")


def test_quotas_of_a_version_that_nothing_follows_are_told(plant):
    plant.license(QUOTA.format("run-h", "1", "day"))
    started(plant)
    plant.license(permit=False)  # as a revocation: no permit and no use under it
    (quota,) = plant.judged().accounts["SN-0", "L-0", "Authority"].quotas
    assert quota.used.low > 0


def test_a_version_that_nobody_vouches_for_replaces_none(plant):
    old = plant.maker.licences["n01"]
    plant.license(trusted=False, permit=False)
    plant.maker.licences["n01"] = old
    plant.permit()
    started(plant)
    assert judged(plant) == ({"LICENCE-UNAUTHENTICATED"}, "INSUFFICIENT")


def test_changed_firmware_needs_work_on_record(plant):
    plant.usage(firmware="cd" * 32, config="cd" * 32)
    found = {"CHANGED-UNDECLARED", "FIRMWARE-UNDECLARED", "CONFIG-UNDECLARED"}
    assert judged(plant) == (found, "FAIL")
    plant = Licensed(plant.folder.parent / "second")
    plant.work("upgrade")
    plant.usage(firmware="cd" * 32, config="cd" * 32)
    assert judged(plant) == (set(), "PASS")


def test_work_that_the_licence_does_not_allow(plant):
    plant.license('[use]\nactivities = ["operation", "calibration"]\n')
    started(plant)
    plant.work("calibration")
    assert judged(plant) == (set(), "PASS")
    plant = Licensed(plant.folder.parent / "second")
    plant.license('[use]\nactivities = ["operation", "calibration"]\n')
    plant.work("upgrade")
    assert judged(plant) == ({"SCOPE-EXCEEDED"}, "FAIL")


def test_documents_are_never_overwritten_and_holds_keep_them(plant):
    plant.state(APPROVAL)
    other = APPROVAL.replace("start", "operation")
    plant.state(other)
    plant.hold()
    plant.state(APPROVAL, "delete")
    plant.hold("release")
    plant.state(other, "delete")
    plant.hold("release")
    result = plant.judged()
    assert (result.counts["DOCUMENT-ORDER"], result.counts["DOCUMENT-HELD"]) == (2, 1)


def test_a_document_that_was_deleted_in_order_is_not_missed(plant):
    plant.state(APPROVAL)
    (item,) = [item for item in plant.log.files if item["path"].startswith("documents/")]
    plant.log.files.remove(item)
    (plant.folder / item["path"]).unlink()
    plant.state(APPROVAL, "delete")
    assert judged(plant) == (set(), "PASS")


def test_a_battery_whose_licence_ends(plant):
    """The demo's story: grace, a refused restart, a start by bridging, an acknowledgement."""
    end_ms = plant.maker.time_ms + 2 * STEP_MS
    dates = f"from = 2026-01-01T00:00:00Z\nto = {time_text(end_ms)}\ngrace_s = 60\n"
    digest = plant.license(dates=dates, permit=False)
    payload = make.format_permit(
        7, make.SITE, "n01", plant.one.keyid, "m-n01", "L-0", digest, "", ["e01"],
        plant.maker.time_ms, plant.maker.time_ms, end_ms // 1000 * 1000, 60_000,
        plant.number * STEP_MS + end_ms // 1000 * 1000 - plant.maker.time_ms + 60_000,
    )  # fmt: skip
    plant.log.append(make.dsse.sign(payload, make.dsse.PERMIT, plant.maker.permit))
    plant.usage(permit=7)
    ack = 'kind = "acknowledgement"\nid = "ack-1"\nof = "grace"\nby = "op-1"\n'
    ack += f'at = {time_text(plant.maker.time_ms)}\nequipment = ["SN-0"]\nlicence = "{digest}"\n'
    plant.state(ack, trusted=False)
    plant.usage(permit=7)
    plant.usage(permit=7)  # in the grace
    plant.usage(permit=7, uses=(False, 0, 0, 0))
    plant.refuse("REFUSED")
    plant.refuse("STARTED-ANYWAY")
    plant.usage(permit=7, uses=(True, STEP_MS // 2, 1, 0))
    plant.usage(permit=7, uses=(True, STEP_MS, 0, 0))
    result = plant.judged()
    assert set(result.counts) - ALWAYS == {
        "REFUSED", "STARTED-ANYWAY", "START-OUTSIDE-LICENCE", "USE-OUTSIDE-LICENCE", "RAN-ON",
    }  # fmt: skip
    assert result.machines == {"SN-0": "FAIL", "SN-1": "PASS"}
    (outside,) = [item for item in result.findings if item.code == "USE-OUTSIDE-LICENCE"]
    assert outside.detail.startswith("0.03 h from ")
    assert [item.kind for item in result.denials] == ["REFUSED", "STARTED-ANYWAY"]
    assert [paper.paper.members.of for paper in result.papers] == ["grace"]
    said = as_json(result)
    assert said["acknowledgements"][0]["of"] == "grace"
    assert "grace taken note of by op-1" in as_text(result)
    json.dumps(said)


def test_a_year_long_bundle_is_cut_at_each_midnight(tmp_path):
    plant = Licensed(tmp_path, rounds=0)
    plant.license(QUOTA.format("run-h", "24", "day") + QUOTA.format("run-h", "500", "month"))
    plant.rounds(1440)
    result = plant.judged()
    assert set(result.counts) == ALWAYS
    ledger = result.accounts["SN-0", "L-0", "Authority"].ledger
    first = make.START_MS // DAY_MS
    assert sorted(ledger.days) == [first, first + 1]
    (between,) = ledger.between.items()
    assert (between[0], between[1].run_ms) == ((first, first + 1), STEP_MS)
    assert ledger.total().run_ms == 1440 * STEP_MS
