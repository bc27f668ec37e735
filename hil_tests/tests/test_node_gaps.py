"""A node of real MicroPython signs when its sensors' bus was silent, and when it knew no time."""

from __future__ import annotations

import pytest

from permit_rig import PermitRig
from raffinate_rig.node_process import RESET_EXIT_CODE
from raffinate_rig.plugin import requires_tool
from rig_configs import node_config
from test_node_values import READINGS

pytestmark = [pytest.mark.broker, pytest.mark.micropython]


@pytest.fixture
def rig(mosquitto_broker, node_firmware, tmp_path):
    requires_tool("micropython")
    content = node_config(stages=tuple(READINGS), statement_s=10)
    with PermitRig(content, mosquitto_broker, node_firmware, tmp_path) as rig:
        for stage, reading in READINGS.items():
            rig.bus.set_reading(stage, reading)
        yield rig


def test_a_bus_that_was_held_is_a_signed_gap_once(rig):
    rig.start()
    rig.listener.wait_value("e01/ph", lambda value: isinstance(value, float))
    rig.bus.stick(0)
    rig.listener.wait_value("e01/ph", lambda value: value == "F:bus")
    rig.scans(5)
    assert rig.told("i2c 0 is silent")
    rig.bus.stick(0, stuck=False)
    gap = rig.wait_statement("gap", lambda body: body["what"] == "sensors").body
    assert gap["cause"] == "i2c 0 silent"
    # five scans and more, each a little before or behind its tick
    assert 4000 <= gap["toMs"] - gap["fromMs"] == gap["toUpMs"] - gap["fromUpMs"] <= 20_000
    rig.scans(15)
    assert len(rig.statements("gap")) == 1
    # thermometers and meters were there all the time
    rig.bus.inject("e01/temp", "no-answer")
    rig.scans(5)
    assert not rig.told("spi 0 is silent")
    rig.bus.inject("e02/temp", "no-answer")
    rig.scans(5)
    for stage in READINGS:
        rig.bus.clear(f"{stage}/temp")
    gap = rig.wait_statement("gap", lambda body: body["cause"].startswith("spi")).body
    assert gap["cause"] == "spi 0 silent"


def test_what_was_signed_before_the_time_was_known_has_a_gap(rig):
    rig.listener.answers = False
    rig.start()
    untimed = rig.wait_statement("boot")
    assert untimed.time_ms is None
    rig.listener.answers = True
    gap = rig.wait_statement("gap", lambda body: body["what"] == "clock").body
    assert gap["cause"] == "time unknown"
    assert gap["fromUpMs"] <= untimed.up_ms <= gap["toUpMs"]
    assert gap["toMs"] - gap["fromMs"] == gap["toUpMs"] - gap["fromUpMs"]


def test_a_node_whose_flash_fails_at_the_start_resets(rig):
    (rig.node.flash / "state").write_text("no folder")
    rig.node.start()
    assert "reset" in rig.node.wait_for("error").text
    rig.wait(lambda: not rig.node.running, "the reset")
    assert rig.node.exit_code == RESET_EXIT_CODE
    (rig.node.flash / "state").unlink()
    rig.start()
