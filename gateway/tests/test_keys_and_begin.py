"""Keys and the start of a log: modes, refusals, broken-off starts, the command."""

from __future__ import annotations

import stat

import pytest

from evidence_site import START_MS, Site
from node_simulator import ORIGIN
from raffinate.errors import ConfigError, RaffinateError
from raffinate.evidence import begin as begin_module
from raffinate.evidence.begin import begin
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.statement import parse_statement
from raffinate.keys import load_gateway_keys, load_public, make_keys


def test_a_log_begins_with_the_enrolment_of_gateway_and_permit_key(tmp_path):
    site = Site(tmp_path)
    keys = load_gateway_keys(site.keys)
    log = site.service._log
    found = [parse_statement(decode_envelope(log.entry(index)).payload) for index in (0, 1)]
    assert [(s.type, s.node, s.seq, s.body["role"], s.body["key"]) for s in found] == [
        ("enrol", "authority", 1, "gateway", keys.gateway.keyid),
        ("enrol", "authority", 2, "permit", keys.permit.keyid),
    ]
    assert log.size == 2
    site.close()


def test_private_keys_are_the_owners_alone(tmp_path):
    make_keys(tmp_path / "keys", ORIGIN)
    for path in (tmp_path / "keys").iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o644 if path.name == "public.json" else 0o600), path
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    (tmp_path / "keys" / "gateway.key").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_gateway_keys(tmp_path / "keys")


def test_the_public_document_has_what_boards_pin(tmp_path):
    make_keys(tmp_path / "keys", ORIGIN)
    public = load_public(tmp_path / "keys")
    assert set(public["keys"]) == {"log", "permit", "gateway", "authority"}
    assert [line.split("+")[0] for line in public["log"]] == [ORIGIN, ORIGIN]


def test_keys_and_logs_are_never_overwritten(tmp_path):
    site = Site(tmp_path)
    site.close()
    before = {path: path.read_bytes() for path in site.keys.iterdir()}
    with pytest.raises(RaffinateError, match=r"never started over another\. Give storage\.data"):
        begin(site.keys, site.data, ORIGIN, START_MS)
    with pytest.raises(RaffinateError, match="never overwritten"):
        begin(site.keys, tmp_path / "data2", ORIGIN, START_MS)
    assert {path: path.read_bytes() for path in site.keys.iterdir()} == before


@pytest.mark.parametrize(
    "origin", ["", "ndpr", "demo.example/ndpr", "Demo/raffinate/ndpr", "a" * 200]
)
def test_origins_that_name_no_log_are_refused(tmp_path, origin):
    with pytest.raises(ConfigError, match="--origin"):
        make_keys(tmp_path / "keys", origin)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("step", ["make_keys", "_start_log", "accept"])
def test_a_start_broken_off_is_finished_by_the_same_command(tmp_path, monkeypatch, step):
    keys, data = tmp_path / "keys", tmp_path / "data"

    class StopError(Exception):
        pass

    def stop(*_args, **_kwargs):
        raise StopError

    with monkeypatch.context() as patch:
        if step == "make_keys":
            patch.setattr(begin_module, "_start_log", stop)
        elif step == "_start_log":
            patch.setattr(begin_module.EvidenceService, "accept_authority", stop)
        else:
            patch.setattr(begin_module, "sync_folder", stop)
        with pytest.raises(StopError):
            begin(keys, data, ORIGIN, START_MS)
    begin(keys, data, ORIGIN, START_MS)
    assert not (data / ".starting").exists()
    (tmp_path / "site").mkdir()
    assert (data / "evidence.sqlite").exists()
    assert (data / "log" / "checkpoint").exists()
    with pytest.raises(RaffinateError):
        begin(keys, data, ORIGIN, START_MS)


def test_a_missing_key_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(ConfigError, match="raffinate keys init"):
        load_gateway_keys(tmp_path)
