"""The firmware's ROMFS image is what mpremote would build, and its code runs outside the heap."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from mpremote.romfs import make_romfs

from raffinate_rig import rom_launcher
from raffinate_rig.deploy import IMAGE, PACKAGES
from raffinate_rig.plugin import requires_tool
from raffinate_rig.romfs import build_image

ALLOCATED = """
import gc
gc.collect()
before = gc.mem_alloc()
import raffinate_node.app
gc.collect()
print(raffinate_node.app.__file__, gc.mem_alloc() - before)
"""


def test_an_image_is_byte_for_byte_what_mpremote_builds(tmp_path, capsys):
    folder = tmp_path / "packages"
    (folder / "b" / "inner").mkdir(parents=True)
    (folder / "a").mkdir()
    for at, size in enumerate((0, 1, 127, 128, 20000)):
        (folder / "b" / f"f{at}.mpy").write_bytes(bytes(range(256)) * (size // 256 + 1))
    (folder / "b" / "inner" / "last.mpy").write_bytes(b"x" * 127)
    (folder / "a" / "only.mpy").write_bytes(b"")
    for odd in (b"", b"x"):
        (folder / "a" / "only.mpy").write_bytes(odd)
        assert build_image(folder, ["b", "a"]) == bytes(make_romfs(str(folder), mpy_cross=False))
    capsys.readouterr()


@pytest.mark.micropython
def test_the_deployed_image_holds_the_deployed_files(node_firmware, tmp_path, capsys):
    for package in PACKAGES:
        shutil.copytree(node_firmware / package, tmp_path / package)
    expected = make_romfs(str(tmp_path), mpy_cross=False)
    capsys.readouterr()
    assert (node_firmware / IMAGE).read_bytes() == bytes(expected)


@pytest.mark.micropython
def test_code_from_the_image_takes_far_less_heap_than_from_files(node_firmware):
    micropython = requires_tool("micropython")
    heap = ["-X", "heapsize=1M"]
    launcher = [sys.executable, rom_launcher.__file__, node_firmware / IMAGE]
    place, in_place = _run([*launcher, *heap, "-c", rom_launcher.MOUNT + ALLOCATED])
    file, loaded = _run(
        [micropython, *heap, "-c", ALLOCATED], MICROPYPATH=f".frozen:{node_firmware}"
    )
    assert place == "/rom/raffinate_node/app.mpy"
    assert file == f"{node_firmware}/raffinate_node/app.mpy"
    assert int(in_place) < 0.7 * int(loaded)


def _run(command, **environment):
    result = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout.split()
