"""What all ports do alike: the digest of the running firmware."""

import hashlib
import os
import sys
from binascii import hexlify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PACKAGES = ("raffinate_node", "raffinate_wire")
FILES_MAX = 200
_FOLDER = 0x4000
_CHUNK_BYTES = 512


def firmware_digest() -> str:
    """Return SHA-256 in hex over the version and the packages' files, sorted by path.

    Each file counts as its path, a newline and its own SHA-256; frozen modules by the version.
    """
    whole = hashlib.sha256(sys.version.encode())
    for package in PACKAGES:
        module: "Any" = __import__(package)
        for path, name in _files(module.__file__, package):
            whole.update(name.encode() + b"\n" + _file_digest(path))
    return hexlify(whole.digest()).decode()


def _files(init_file: str, package: str) -> "list[tuple[str, str]]":
    root = init_file[: init_file.rfind("/")] if "/" in init_file else "."
    found: "list[tuple[str, str]]" = []
    folders = [(root, package)]
    while folders:
        folder, shown = folders.pop()
        try:
            entries = sorted(os.listdir(folder))
        except OSError:
            continue
        for entry in entries:
            path = folder + "/" + entry
            if os.stat(path)[0] & _FOLDER:
                if entry[0] not in "._":
                    folders.append((path, shown + "/" + entry))
            elif entry.endswith((".py", ".mpy")) and len(found) < FILES_MAX:
                found.append((path, shown + "/" + entry))
    return sorted(found, key=_shown)


def _shown(entry: "tuple[str, str]") -> str:
    return entry[1]


def _file_digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            if not chunk:
                return digest.digest()
            digest.update(chunk)
