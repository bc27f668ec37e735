"""The demo's node of strip battery and outfall on real MicroPython, in a board's heap."""

from __future__ import annotations

from statistics import fmean

import pytest

from raffinate.config import load_config
from raffinate.config import node_config as node_json
from raffinate.config.template import write_template
from raffinate_rig.actions import parse_action
from raffinate_rig.brokers import NatsBroker
from raffinate_rig.node_rig import NodeRig
from raffinate_rig.plant_runner import PlantRunner
from raffinate_rig.plugin import requires_tool
from raffinate_rig.twin import OUTFALL, REFERENCE, Plant
from raffinate_rig.twin.outfall import BACKGROUND_1_S
from rig_configs import node_config

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
SPEED = 20
HEAP = "160K"
COUNTED_FRAMES = 24
WINDOW_SCANS = 4


@pytest.fixture
def config(tmp_path):
    """What `raffinate node config n04` writes for the template."""
    write_template(tmp_path / "plant")
    keys = node_config()["keys"]
    return node_json(load_config(tmp_path / "plant"), "n04", "demo.invalid/raffinate/ndpr", keys)


def values(frames, point):
    return [heard.value(point) for heard in frames]


def test_the_outfall_arrives_in_wire_units_and_its_upset_with_it(config, node_firmware, tmp_path):
    requires_tool("nats-server")
    assert [stage["id"] for stage in config["stages"]] == ["t01", "t02", "t03", "t04", OUTFALL]
    plant = Plant(REFERENCE, 1)
    with (
        NatsBroker(tmp_path / "nats") as broker,
        NodeRig(
            config,
            broker,
            firmware=node_firmware,
            folder=tmp_path,
            speed=SPEED,
            heap=HEAP,
            heap_every=10,
        ) as rig,
        PlantRunner(plant, {"n04": rig.bus}, speed=SPEED) as runner,
    ):
        rig.start()
        rig.listener.wait_value("o01/rad", lambda value: isinstance(value, float))
        rig.listener.wait_frames(4 * WINDOW_SCANS)
        frames = rig.listener.wait_frames(COUNTED_FRAMES)
        units = {name: unit for name, unit, _, _ in frames[-1].frame.scans[0][2]}
        assert {name: unit for name, unit in units.items() if name.startswith("o01/")} == {
            "o01/ph": "pH",
            "o01/cond": "S/m",
            "o01/rad": "1/s",
        }
        reading = plant.reading(OUTFALL)
        kappa_25 = reading.cond_ms_cm_t / 10 / (1 + 0.0156 * (reading.temp_c - 25))
        assert fmean(values(frames, "o01/ph")) == pytest.approx(reading.ph, abs=0.03)
        assert fmean(values(frames, "o01/cond")) == pytest.approx(kappa_25, rel=0.01)
        # Six standard deviations of so many seconds' events.
        spread = 6 * (BACKGROUND_1_S / COUNTED_FRAMES) ** 0.5
        assert fmean(values(frames, "o01/rad")) == pytest.approx(BACKGROUND_1_S, abs=spread)
        runner.do(parse_action("discharge-acid"))
        heard = rig.listener.wait_value("o01/ph", lambda value: value < 4.0)
        assert heard.value("o01/rad") == pytest.approx(BACKGROUND_1_S, rel=0.5)
        runner.do(parse_action("clear discharge-acid"))
        rig.listener.wait_value("o01/ph", lambda value: value > 7.0)
        assert rig.bus.misuses() == []
        assert rig.listener.problems == []
        assert rig.node.errors() == []
        used = [
            int(line.text.split()[2])
            for line in rig.node.new_lines()
            if line.text.startswith("heap ")
        ]
    assert max(used) < 160 * 1024
