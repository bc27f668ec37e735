"""ROMFS images: the read-only file system from which MicroPython runs .mpy code in place.

The format is that of MicroPython's extmod/vfs_rom.c: records of kind, length and payload, where
numbers have seven bits an octet, the high octets first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEADER = b"\xd2\xcd\x31"
_VERBATIM = 2
_DIRECTORY = 4
_FILE = 5


def build_image(folder: Path, names: list[str]) -> bytes:
    """The image of these files and folders of `folder`, everything sorted by name."""
    content = b"".join(_entry(folder / name) for name in sorted(names))
    length = _number(len(content))
    if (len(HEADER) + len(length) + len(content)) % 2:
        # an image has an even length: a leading zero digit fills up
        length = b"\x80" + length
    return HEADER + length + content


def _entry(path: Path) -> bytes:
    name = path.name.encode("ascii")
    head = _number(len(name)) + name
    if path.is_dir():
        return _record(
            _DIRECTORY, head + b"".join(_entry(child) for child in sorted(path.iterdir()))
        )
    return _record(_FILE, head + _record(_VERBATIM, path.read_bytes()))


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _number(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.insert(0, 0x80 | (value & 0x7F))
    return bytes(octets)
