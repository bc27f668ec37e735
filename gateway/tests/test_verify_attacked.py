"""A gateway that signs whatever it likes: bundles full of junk are judged and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile_flips import Held, read_folder
from licence_story import (
    APPROVAL,
    CURRENT,
    NEEDS_APPROVAL,
    QUOTA,
    RESTS,
    Discharging,
    digest_of,
)
from raffinate.audit.html_report import as_html
from raffinate.audit.report import as_json, as_text
from raffinate.audit.usage_csv import as_usage_csv
from raffinate.audit.usage_report import as_usage_html
from raffinate.audit.verify import verify
from raffinate.evidence import dsse
from test_html_report import about, outline
from verify_story import make

DISCHARGE = '[[discharge]]\noutfall = "o01"\npoint = "ph"\nlow = 6\nhigh = 9.5\n'
ASSAY = (
    'kind = "assay"\nid = "F-1"\nof = "stream"\nsubject = "feed"\nlaboratory = "Lab"\n'
    "sampled = 2026-01-01\nreo_g_per_l = 0.5\n"
    '[[contents]]\nelement = "Nd"\nmass_fraction = 0.5\n'
)


def discharging(folder, ph=(7, 8), terms=DISCHARGE):
    """One node with frames of an outfall, a licence with every kind of condition, papers."""
    plant = Discharging(folder, rounds=2)
    plant.extra = [("o01/ph", "pH", value, 0) for value in ph]
    plant.state(CURRENT)
    plant.state(APPROVAL)
    plant.state(ASSAY)
    reo, run = QUOTA.format("reo-kg", "1", "month"), QUOTA.format("run-h", "9", "day")
    plant.license(RESTS + NEEDS_APPROVAL + reo + run + terms)
    for _ in range(3):
        plant.minute()
    return plant


def test_an_outfall_is_judged_by_the_frames_of_the_bundle(tmp_path):
    for name, ph, verdict in (("good", (6, 9), "PASS"), ("acid", (7, 5), "FAIL")):
        result = discharging(tmp_path / name, ph).judged()
        assert result.machines["SN-0"] == verdict, dict(result.counts)
        seen = result.accounts["SN-0", "L-0", "Authority"].conditions["discharge:o01/ph"]
        assert (seen.worst, dict(seen.last.inputs)["measured"]) == (
            verdict, f"{min(ph)} to {max(ph)}"
        )  # fmt: skip
        assert ("DISCHARGE" in result.counts) == (verdict == "FAIL")


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    made = discharging(tmp_path_factory.mktemp("attacked"))
    made.finish()
    made.files = read_folder(made.folder)
    return made


def signed_again(plant, files):
    """The files with a manifest that lists them as they are."""
    listed = [
        {"path": path, "size": len(data), "sha256": sha256(data).hexdigest()}
        for path, data in files.items()
        if path != "MANIFEST.json"
    ]
    times = {"createdMs": 1, "fromMs": None, "toMs": None}
    manifest = {"v": 1, "origin": make.ORIGIN, **times, "files": listed}
    payload = json.dumps(manifest).encode()
    return {**files, "MANIFEST.json": dsse.sign(payload, dsse.MANIFEST, plant.maker.gateway)}


JUNK = (b"", b"\0", b"\xff", b'"', b"[[", b"9" * 40, b"1e999", b"= {", b"\n", b"2026-13-01", b"-1")


@given(st.data())
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_signed_bundle_of_junk_is_judged_and_shown(plant, data):
    path = data.draw(st.sampled_from(sorted(plant.files)))
    old = plant.files[path]
    at = data.draw(st.integers(0, len(old)))
    length = data.draw(st.integers(0, 40))
    junk = data.draw(st.sampled_from(JUNK) | st.binary(max_size=12))
    changed = old[:at] + junk + old[at + length :]
    files = signed_again(plant, {**plant.files, path: changed})
    policy = plant.trusted
    if data.draw(st.booleans()):  # the auditor was made to list what was changed
        listed = {digest_of(content) for content in files.values()}
        policy = replace(policy, licences=policy.licences | listed)
    result = verify(Held(files), policy)
    as_text(result).encode()
    json.dumps(as_json(result))
    outline(as_html(result, about()))
    for number in {account.number for account in result.accounts.values()}:
        outline(as_usage_html(result, about(), number))
        as_usage_csv(result, number).encode()
    if path.startswith("log/") and changed != old:
        assert result.verdict("authentic") == "FAIL"
