"""The demo's stage comes up whole, minds its processes, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from raffinate_rig.actions import Action, ActionError
from raffinate_rig.demo import Stage, StageError, process_start, request_action
from raffinate_rig.listener import Listener
from raffinate_rig.processes import free_port, wait_until
from rig_configs import node_config

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
NODES = {"n01": ("e01", "e02"), "n02": ("s05", "s06")}
EQUIPMENT = {"n01": "bat-ext", "n02": "bat-scrub"}
BATTERIES = {"bat-ext": "extraction", "bat-scrub": "scrub"}


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def folder(tmp_path, port, node_firmware):
    for node, stages in NODES.items():
        flash = tmp_path / "demo" / "nodes" / node
        flash.mkdir(parents=True)
        config = node_config(
            node, stages, broker_port=port, equipment_ids=(EQUIPMENT[node],), statement_s=10
        )
        (flash / "node.json").write_text(json.dumps(config))
    # compiled already, under the same content's name
    (tmp_path / "demo" / "rig").mkdir()
    (tmp_path / "demo" / "rig" / "firmware").symlink_to(node_firmware.parent)
    return tmp_path / "demo"


@pytest.fixture
def stage(folder, port):
    with Stage(folder, batteries=BATTERIES, broker_port=port) as stage:
        yield stage


def heard(stage: Stage, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Poll until every (source, kind) was seen; the last text of each."""
    seen: dict[tuple[str, str], str] = {}

    def all_seen() -> bool:
        seen.update({(event.source, event.kind): event.text for event in stage.poll()})
        return wanted <= set(seen)

    wait_until(all_seen, f"events {wanted}", 60)
    return seen


def test_nodes_enrol_and_publish_what_the_twin_does(stage):
    seen = heard(stage, {(node, kind) for node in NODES for kind in ("enrol-code", "ready")})
    assert seen["n01", "enrol-code"] != seen["n02", "enrol-code"]
    with Listener(stage.broker, "ndpr", "n02") as listener:
        frame = listener.wait_value("s06/ph", lambda value: isinstance(value, float))
    assert frame.value("s06/ph") == pytest.approx(0.97, abs=0.1)


def test_a_killed_node_and_a_killed_broker_come_back(stage):
    heard(stage, {("n01", "ready"), ("n02", "ready")})
    first = stage.nodes["n01"].pid
    os.kill(first, signal.SIGKILL)
    seen = heard(stage, {("n01", "ended"), ("n01", "started"), ("n01", "ready")})
    assert seen["n01", "ended"] == "ended with status -9; starts again in 2 s"
    assert stage.nodes["n01"].pid != first
    stage.broker.kill()
    heard(stage, {("broker", "started")})
    with Listener(stage.broker, "ndpr", "n01") as listener:
        listener.wait_frames(2)


def test_nothing_is_left_when_it_ends(folder, port):
    with Stage(folder, batteries=BATTERIES, broker_port=port) as stage:
        pids = [entry["pid"] for entry in json.loads((stage.rig / "processes.json").read_text())]
        assert len(pids) == 3
        assert all(process_start(pid) for pid in pids)
    assert [process_start(pid) for pid in pids] == [None] * 3
    assert not (folder / "rig" / "processes.json").exists()
    assert (folder / "rig" / "plant.json").exists()
    stage.stop()


def test_a_second_stage_is_told_of_the_first(stage, folder, port):
    with pytest.raises(
        StageError, match=f"another demo runs over this folder .process {os.getpid()}"
    ):
        Stage(folder, batteries=BATTERIES, broker_port=port).start()
    assert stage.nodes["n01"].running


def test_what_a_killed_demo_left_behind_is_ended(folder, port):
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from raffinate_rig.demo import Stage\n"
        f"Stage(Path({str(folder)!r}), batteries={BATTERIES!r}, broker_port={port}).start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert result.returncode == -signal.SIGKILL
    left = json.loads((folder / "rig" / "processes.json").read_text())
    assert all(process_start(entry["pid"]) == entry["started"] for entry in left)
    with Stage(folder, batteries=BATTERIES, broker_port=port) as stage:
        assert all(process_start(entry["pid"]) != entry["started"] for entry in left)
        heard(stage, {("n01", "ready"), ("n02", "ready")})


def test_a_stranger_with_a_recorded_pid_is_left_alone(folder, port):
    (folder / "rig" / "processes.json").write_text(
        json.dumps([{"pid": os.getpid(), "started": 1}, {"pid": 1, "started": None}])
    )
    with Stage(folder, batteries=BATTERIES, broker_port=port) as stage:
        assert stage.nodes["n01"].running


def test_actions_come_from_outside_and_from_the_schedule(stage, folder):
    stage.do(Action(0.0, "stop", "scrub"))
    assert heard(stage, {("plant", "plant")})["plant", "plant"] == "scrub stopped"
    request_action(folder, "sap-loss")
    assert heard(stage, {("plant", "plant")})["plant", "plant"] == "fault sap-loss begins"
    with pytest.raises(ActionError, match="there is no fault"):
        request_action(folder, "earthquake")
    stage.stop()
    with pytest.raises(StageError, match="no demo runs in"):
        request_action(folder, "sap-loss")


def test_a_stopped_battery_is_still_stopped_at_the_next_start(folder, port):
    options = {"batteries": BATTERIES, "broker_port": port, "start_stopped": False}
    with Stage(folder, **options) as stage:
        stage.do(Action(0.0, "stop", "extraction"))
        heard(stage, {("plant", "plant")})
        time_s = stage.runner.plant.time_s
    with Stage(folder, **options) as stage:
        assert not stage.runner.plant.batteries()["extraction"].running
        assert stage.runner.plant.batteries()["scrub"].running
        assert stage.runner.plant.time_s >= time_s


def test_what_is_in_the_way_is_named(folder, tmp_path, stage):
    (tmp_path / "file").touch()
    with pytest.raises(StageError, match=r"file/rig: Not a directory; choose a folder"):
        Stage(tmp_path / "file", batteries={}).start()
    with pytest.raises(StageError, match=r"nodes has no node.json"):
        Stage(tmp_path / "empty", batteries={}).start()
    (folder / "nodes" / "n03").mkdir()
    stage.stop()
    (folder / "nodes" / "n03" / "node.json").write_text("{")
    with pytest.raises(StageError, match=r"n03/node.json: Expecting property name"):
        Stage(folder, batteries={}).start()
