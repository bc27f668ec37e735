"""The Unix port's hal on real MicroPython, over the rig's simulated bus."""

import hashlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from node_world import Reading, node_json
from raffinate_rig.bus import Bus
from raffinate_wire.frame import parse_frame

pytestmark = pytest.mark.micropython

HERE = Path(__file__).resolve().parent
PROBE = """
import sys
from raffinate_node.hal.unix import Hal

hal = Hal()
"""


@pytest.fixture
def node(tmp_path, micropython):
    """Starts scripts as a node: node(bus, arguments, speed=...) -> Popen."""
    started = []

    def start(bus, *arguments, speed=1, script=None, heapsize=None, mpy=False):
        environment = {
            **micropython.environment(mpy=mpy),
            "RAFFINATE_BUS": bus,
            "RAFFINATE_FLASH": str(tmp_path),
            "RAFFINATE_SPEED": str(speed),
        }
        command = micropython.command(mpy=mpy, heapsize=heapsize)
        if script:
            (tmp_path / "probe.py").write_text(PROBE + script, encoding="utf-8")
        command.append(str(tmp_path / "probe.py" if script else HERE / "upy_sensors.py"))
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wire(tmp_path, content, **bus):
    (tmp_path / "node.json").write_text(json.dumps(content), encoding="utf-8")
    made = Bus(content, **bus)
    for stage in content["stages"]:
        made.set_reading(stage["id"], Reading())
    return made


def finished(process, timeout_s=120):
    output, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, output
    return output


def values(line):
    frame = parse_frame(bytes.fromhex(line.split()[1]))
    return {
        name: mantissa if unit is None else mantissa / 10**decimals
        for name, unit, mantissa, decimals in frame.scans[-1][2]
    }


def test_four_stages_are_measured_over_the_simulated_bus(tmp_path, node):
    with wire(tmp_path, node_json(4), speed=10) as bus:
        lines = finished(node(bus.address, 8, speed=10)).splitlines()
        assert bus.misuses() == []
    found = values(lines[-2])
    assert len(found) == 24
    for stage in ("e01", "e02", "e03", "e04"):
        assert found[f"{stage}/ph"] == pytest.approx(1.85, abs=2e-3)
        assert found[f"{stage}/cond"] == pytest.approx(10.4 / 1.078, rel=1e-3)
        assert found[f"{stage}/temp"] == pytest.approx(30.0, abs=0.05)
        assert found[f"{stage}/flow_aq"] == pytest.approx(20 / 3600, rel=0.05)
        assert found[f"{stage}/level"] == pytest.approx(0.45, abs=1e-3)
    frames = [parse_frame(bytes.fromhex(line.split()[1])) for line in lines[:-1]]
    for before, after in zip(lines, frames[1:], strict=False):
        data = bytes.fromhex(before.split()[1])
        assert after.prev == hashlib.sha256(data).digest()
    assert {frame.clock for frame in frames} == {"U"}


def test_a_fault_on_one_channel_leaves_the_others(tmp_path, node):
    with wire(tmp_path, node_json(2), speed=10) as bus:
        bus.inject("e01/ph", "garbage")
        bus.inject("e02/temp", "open")
        bus.inject("e01/level", "open-0")
        found = values(finished(node(bus.address, 8, speed=10)).splitlines()[-2])
        assert bus.misuses() == []
    assert found.pop("e01/ph") == "F:garbled"
    assert found.pop("e02/temp") == "F:open"
    assert found.pop("e01/level") == "F:low"
    assert found.pop("e02/ph") == "S:no-temp"
    assert found.pop("e02/cond") == "S:no-temp"
    assert len(found) == 7
    assert all(isinstance(value, float) for value in found.values())


def test_a_lost_bus_fails_every_point_and_a_new_one_is_found(tmp_path, node):
    content = node_json(1)
    bus = wire(tmp_path, content, speed=10)
    port = int(bus.address.rpartition(":")[2])
    process = node(bus.address, 400, speed=10)
    seen = []

    def until(condition):
        for line in process.stdout:
            if line.startswith("frame"):
                seen.append(values(line))
                if condition(seen[-1]):
                    return
        pytest.fail(f"the node ended: {process.wait()}")

    until(lambda found: found.get("e01/ph") == 1.85)
    bus.close()
    until(lambda found: set(found.values()) == {"F:bus"} and len(found) == 6)
    with wire(tmp_path, content, speed=10, port=port):
        until(lambda found: found.get("e01/flow_aq") == "F:restarted")
        until(lambda found: len(found) == 6 and not any(map(is_text, found.values())))


def is_text(value):
    return isinstance(value, str)


def test_scans_keep_their_ticks_in_real_time(tmp_path, node):
    with wire(tmp_path, node_json(4)) as bus:
        last = finished(node(bus.address, 6, mpy=True)).splitlines()[-1].split()
    assert last[:4] == ["scans", "6", "missed", "0"]


def test_the_heap_is_steady(tmp_path, node):
    with wire(tmp_path, node_json(4, scan_ms=2000), speed=40) as bus:
        output = finished(node(bus.address, 300, 100, speed=40, heapsize="160wK", mpy=True))
    # a busy machine may miss a scan, which is said between
    heaps = [line for line in output.splitlines() if line.startswith("heap ")]
    first, second, third = (int(line.split()[2]) for line in heaps[:3])
    assert abs(third - second) <= 1024
    assert first < 160_000


def test_lines_counters_and_errors(tmp_path, node):
    content = node_json(
        1,
        equipment=[
            {
                "id": "bat-ext",
                "descriptor": "ab" * 32,
                "run_pin": 100,
                "start_pin": 101,
                "bypass_pin": None,
                "permissive_pin": 103,
            }
        ],
    )
    with wire(tmp_path, content) as bus:
        bus.set_input(100, 1)
        code = """
print(hal.digital_in(100).value(), hal.digital_in(101).value())
hal.digital_out(103, False).set(1)
print(hal.counter(20).value() >= 0)
print(hal.spi(0, 10).transfer(bytes(9))[1:])
for call in (lambda: hal.i2c(0).writeto(8, b"x"), lambda: hal.digital_in(9).value()):
    try:
        call()
    except OSError as error:
        print("errno", error.args[0])
print(hal.digital_in(100).value())
buffer = bytearray(4)
hal.i2c(0).readfrom_into(112, buffer)
print(buffer)
print(hal.reset_cause(), len(hal.firmware_digest()), len(hal.unique_id()), len(hal.random(7)))
sys.stdin.read()
"""
        process = node(bus.address, script=code)
        lines = [process.stdout.readline().strip() for _ in range(8)]
        assert bus.output(103) == 1
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while bus.powered and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bus.output(103) == 0
    assert lines == [
        "1 0",
        "True",
        "b'\\x00\\x00\\x00\\xff\\xff\\x00\\x00\\x00'",
        "errno 19",
        "errno 22",
        "1",
        "bytearray(b'\\x00\\x00\\x00\\x00')",
        "power-on 64 8 7",
    ]


def test_ticks_and_sleeps_run_at_the_chosen_speed(tmp_path, node):
    with wire(tmp_path, node_json(1)) as bus:
        code = """
import asyncio, time
async def main():
    ran = []
    async def other():
        while True:
            ran.append(hal.ticks_ms())
            await asyncio.sleep_ms(500)
    asyncio.create_task(other())
    real, node = time.ticks_us(), hal.ticks_ms()
    await asyncio.sleep_ms(20000)
    real, node = time.ticks_diff(time.ticks_us(), real), hal.ticks_diff(hal.ticks_ms(), node)
    print(node >= 20000, real >= 199000, real * 100 // 1000 >= node - 10, 1 < len(ran) <= 41)
    try:
        await asyncio.wait_for_ms(other(), 1000)
    except asyncio.TimeoutError:
        print("deadline")
asyncio.run(main())
"""
        output = finished(node(bus.address, speed=100, script=code))
    assert output.splitlines() == ["True True True True", "deadline"]


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("RAFFINATE_FLASH", "", "RAFFINATE_FLASH is not set"),
        ("RAFFINATE_BUS", "", "RAFFINATE_BUS is not set"),
        ("RAFFINATE_BUS", "here", "write HOST:PORT"),
        ("RAFFINATE_SPEED", "0", "write 1 to 1000"),
        ("RAFFINATE_SPEED", "fast", "write 1 to 1000"),
    ],
)
def test_an_incomplete_setting_is_one_line_on_the_console(
    tmp_path, micropython, variable, value, problem
):
    (tmp_path / "node.json").write_text(json.dumps(node_json(1)), encoding="utf-8")
    environment = {
        **micropython.environment(),
        "RAFFINATE_BUS": "127.0.0.1:1",
        "RAFFINATE_FLASH": str(tmp_path),
        variable: value,
    }
    done = subprocess.run(
        [*micropython.command(), "-m", "raffinate_node.main"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("raffinate error ")
    assert problem in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_bad_node_json_is_one_line_on_the_console(tmp_path, micropython):
    (tmp_path / "node.json").write_text('{"v":1,\n"site":"Plant"}', encoding="utf-8")
    environment = {
        **micropython.environment(),
        "RAFFINATE_BUS": "127.0.0.1:1",
        "RAFFINATE_FLASH": str(tmp_path),
    }
    done = subprocess.run(
        [*micropython.command(), "-m", "raffinate_node.main"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("raffinate error node.json: site: ")
