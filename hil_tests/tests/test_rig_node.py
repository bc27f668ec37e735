"""Firmware is compiled once for its content, and real MicroPython runs it over a flash folder."""

from __future__ import annotations

import pytest

from raffinate_rig import deploy as deploy_module
from raffinate_rig.bus import Bus
from raffinate_rig.deploy import SOURCE, DeployError, deploy, firmware_sources, linked
from raffinate_rig.node_process import NodeProcess
from raffinate_rig.processes import ProcessError
from rig_configs import node_config

pytestmark = pytest.mark.micropython

# A node's outside: it reads its environment and flash, talks to the bus, counts its starts.
NODE = """
import os, socket, time
flash = os.getenv("RAFFINATE_FLASH")
print("raffinate boot", os.getenv("RAFFINATE_RESET_CAUSE"), os.getenv("RAFFINATE_SPEED"))
try:
    count = int(open(flash + "/count").read()) + 1
except OSError:
    count = 1
with open(flash + "/count", "w") as file:
    file.write(str(count))
print("raffinate enrol-code ABCD-%04d" % count)
host, port = os.getenv("RAFFINATE_BUS").split(":")
link = socket.socket()
link.connect(socket.getaddrinfo(host, int(port))[0][-1])
link.send(b"\\x00\\x02i\\x64")
print("raffinate input", link.recv(10)[3])
print("raffinate ready")
if count == 3:
    raise ValueError("third")
time.sleep(600)
"""


@pytest.fixture
def flash(tmp_path):
    folder = tmp_path / "n01"
    folder.mkdir()
    (folder / "node.json").write_text("{}")
    return folder


@pytest.fixture
def node(tmp_path, flash):
    folder = tmp_path / "firmware" / "raffinate_node"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "main.py").write_text(NODE)
    with Bus(node_config(equipment_ids=("bat-ext",))) as bus:
        bus.set_input(100, 1)
        process = NodeProcess(
            "n01", firmware=folder.parent, flash=flash, bus=bus.address, heap="160K"
        )
        yield process
        process.stop()


def test_the_linked_firmware_is_compiled_and_main_stays_readable(node_firmware):
    compiled = {path.relative_to(node_firmware).as_posix() for path in node_firmware.rglob("*.mpy")}
    texts = linked(firmware_sources(), "unix")
    assert compiled == {name.removesuffix(".py") + ".mpy" for name in texts}
    for name, text in texts.items():
        assert (node_firmware / SOURCE / name).read_text() == text
    assert "raffinate_node.main" in (node_firmware / "main.py").read_text()


def test_the_same_content_is_compiled_once_and_other_content_anew(tmp_path, monkeypatch):
    source = tmp_path / "source.py"
    source.write_text("x = 1\n")
    monkeypatch.setattr(deploy_module, "firmware_sources", lambda: {"raffinate_node/a.py": source})
    first = deploy(tmp_path / "cache")
    stamp = (first / "raffinate_node/a.mpy").stat().st_mtime_ns
    assert deploy(tmp_path / "cache") == first
    assert (first / "raffinate_node/a.mpy").stat().st_mtime_ns == stamp
    for number in range(5):
        source.write_text(f"x = {number + 2}\n")
        assert deploy(tmp_path / "cache") != first
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_a_file_that_does_not_compile_is_named(tmp_path, monkeypatch):
    source = tmp_path / "bad.py"
    source.write_text("match = 1\nmatch x:\n  case 1: pass\n")
    monkeypatch.setattr(
        deploy_module, "firmware_sources", lambda: {"raffinate_node/bad.py": source}
    )
    with pytest.raises(DeployError, match=r"(?s)bad.py does not compile.*line 2"):
        deploy(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_console_is_read_line_by_line(node):
    node.start()
    assert node.wait_for("ready").text == "ready"
    assert node.enrol_code() == "ABCD-0001"
    kinds = [(line.kind, line.text) for line in node.new_lines()]
    assert kinds == [
        ("notice", "boot power-on 1"),
        ("enrol-code", "ABCD-0001"),
        ("notice", "input 1"),
        ("ready", "ready"),
    ]
    assert node.new_lines() == []


def test_kill_and_restart_keep_the_flash_and_wipe_loses_it(node, flash):
    node.start()
    node.wait_for("ready")
    first = node.pid
    node.kill()
    assert not node.running
    assert node.exit_code == -9
    node.start("watchdog")
    node.wait_for("ready")
    assert node.pid != first
    assert node.enrol_code() == "ABCD-0002"
    with pytest.raises(ProcessError, match="kill it before you wipe"):
        node.wipe()
    node.kill()
    (flash / "state").mkdir()
    (flash / "state" / "key").write_bytes(b"secret")
    node.wipe()
    assert [path.name for path in flash.iterdir()] == ["node.json"]
    node.start()
    node.wait_for("ready")
    assert node.enrol_code() == "ABCD-0001"


def test_a_node_that_ends_is_reported_with_its_last_words(node, flash):
    (flash / "count").write_text("2")
    node.start()
    node.wait_for("ready")
    with pytest.raises(ProcessError, match=r"(?s)ended before its error.*ValueError: third"):
        node.wait_for("error")
    assert node.errors()[-1] == "ValueError: third"
    assert node.exit_code == 1


def test_corruption_changes_one_byte_of_what_matches(node, flash):
    (flash / "state").mkdir()
    (flash / "state" / "seq.0").write_bytes(b"\x00\x01\x02")
    (flash / "state" / "seq.1").write_bytes(b"")
    assert node.corrupt("seq.*") == [flash / "state" / "seq.0"]
    assert (flash / "state" / "seq.0").read_bytes() == b"\x00\x01\x42"
    assert node.corrupt("seq.0", offset=0, flip=1) == [flash / "state" / "seq.0"]
    assert (flash / "state" / "seq.0").read_bytes() == b"\x01\x01\x42"


def test_misuse_of_a_node_is_named(node, flash):
    with pytest.raises(ProcessError, match="was not started"):
        _ = node.pid
    (flash / "node.json").unlink()
    with pytest.raises(ProcessError, match=r"has no .*node\.json"):
        node.start()
