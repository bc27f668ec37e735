"""A gateway's copy of the auditor's policy; work orders of the registry behind activities."""

from __future__ import annotations

from hashlib import sha256
from types import SimpleNamespace

import orjson
import pytest
from click.testing import CliRunner

from evidence_site import enrolled_site
from raffinate.audit.policy import format_policy
from raffinate.audit.trusted import PolicyFile
from raffinate.cli import main
from raffinate.cli.activity import _work_order
from raffinate.config.template import write_template
from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.petition import operator
from raffinate.evidence.requests import format_request
from raffinate.evidence.statement import parse_statement
from raffinate.keys import load_gateway_keys, load_public

ORDER = b"""kind = "work-order"
id = "WO-17"
equipment = ["SN-0"]
activity = "repair"
who = "pump crew"
"""
DIGEST = sha256(ORDER).hexdigest()


@pytest.fixture
def site(tmp_path):
    site, _ = enrolled_site(tmp_path)
    yield site
    site.close()


def ask(site, kind, body, documents=()):
    """Hand a request to the service; its answer."""
    keys = load_gateway_keys(site.keys)
    request = format_request(keys, kind, operator("op-1"), body, documents, site.now_ms)
    (site.data / "inbox").mkdir(exist_ok=True)
    (site.data / "inbox" / "r.dsse").write_bytes(request)
    site.tick(1000)
    return orjson.loads((site.data / "outbox" / "r.json").read_bytes())


def repair(site, order):
    body = {"kind": "repair", "equipment": "bat-ext", "workOrder": order}
    return {**body, "fromMs": site.now_ms, "toMs": None, "details": None}


def test_a_policy_is_read_again_when_it_changes_and_vouches_for_nothing_when_it_is_wrong(site):
    file = site.folder / "policy.toml"
    policy = PolicyFile(file)
    assert "policy.toml" in policy().problem
    public = load_public(site.keys)
    file.write_text(format_policy(public, ["ab" * 32], []))
    assert policy().digests == {"ab" * 32}
    assert policy().problem == ""
    file.write_text(format_policy(public, ["ab" * 32, "cd" * 32], []))
    assert policy().digests == {"ab" * 32, "cd" * 32}
    file.write_text("v = ")
    assert policy().digests == frozenset()
    assert "not TOML" in policy().problem
    file.write_bytes(b"\xff")
    assert policy().problem
    site.vouching = policy()
    site.tick(2000)
    assert any("evidence.policy" in text for text in site.service.snapshot()["problems"])


def test_an_activity_names_a_work_order_that_the_registry_has_and_no_other(site):
    assert "not with the request" in ask(site, "activity", repair(site, DIGEST))["error"]
    item = {"as": "document", "sha256": DIGEST, "file": "wo-17.toml"}
    assert ask(site, "document", {"action": "add", "items": [item]}, [ORDER])["ok"]
    answer = ask(site, "activity", repair(site, DIGEST))
    assert answer["ok"], answer
    entry = parse_statement(decode_envelope(site.service._log.entry(answer["index"])).payload)
    assert entry.body["workOrder"] == DIGEST
    config = SimpleNamespace(storage=SimpleNamespace(data=site.data), plant=site.plant)
    assert _work_order(config, "WO-17", "bat-ext", "repair") == DIGEST
    with pytest.raises(ConfigError, match="orders repair of SN-0, not upgrade of SN-0"):
        _work_order(config, "WO-17", "bat-ext", "upgrade")
    with pytest.raises(RaffinateError, match="is no file, and the registry has no work-order WO-1"):
        _work_order(config, "WO-1", "bat-ext", "repair")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("bat-none", "--state", "grace"), 2, "there is bat-ext, bat-scrub, bat-strip"),
        (("bat-ext", "--state", "grace"), 1, "no gateway runs"),
        (("bat-ext", "--state", "sleep"), 2, "orderly-stop"),
        (("bat-ext", "--state", "grace", "--actor", 'a"b'), 1, "--as"),
    ],
)
def test_an_acknowledgement_that_cannot_be_made_says_why(tmp_path, words, status, said):
    write_template(tmp_path / "plant")
    plant = str(tmp_path / "plant" / "plant.toml")
    done = CliRunner().invoke(main, ["licence", "acknowledge", *words, "--plant", plant])
    assert done.exit_code == status, done.output
    assert said in done.output
