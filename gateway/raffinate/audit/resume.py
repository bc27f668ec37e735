"""The state file of a verification that may be broken off (`--resume`).

It says how many entries had their signatures checked, and the root over them; a run that finds
another root there begins anew, so that a changed bundle gains nothing by it. Whoever writes the
file can make the verifier believe signatures: it is the auditor's own, as the policy is.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from raffinate.audit.verify import BAD_MAX, Checked
from raffinate.errors import RaffinateError
from raffinate.tlog.tiles import TILE_WIDTH

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
_ROOT_DIGITS = 64
_FILE_BYTES_MAX = 1 << 20


class StateFile:
    """`Memory` in one file, replaced as a whole; what cannot be read counts as nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, policy: str) -> Checked:
        """What an earlier run under this policy kept, or nothing."""
        try:
            if self._path.stat().st_size > _FILE_BYTES_MAX:
                return Checked()
            value = json.loads(self._path.read_bytes())
            entries, root, bad = value["entries"], value["root"], value["bad"]
            fits = (
                value["v"] == VERSION
                and value["policy"] == policy
                and type(entries) is int
                and entries > 0
                and entries % TILE_WIDTH == 0
                and len(root) == _ROOT_DIGITS
                and len(bad) <= BAD_MAX
                and all(type(index) is int for index in bad)
            )
            return Checked(entries, bytes.fromhex(root), frozenset(bad)) if fits else Checked()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Checked()

    def save(self, policy: str, checked: Checked) -> None:
        """Keep it. Raises RaffinateError when the file cannot be written."""
        value = {
            "v": VERSION,
            "policy": policy,
            "entries": checked.entries,
            "root": checked.root.hex(),
            "bad": sorted(checked.bad),
        }
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            with part.open("wb") as target:
                target.write(json.dumps(value).encode() + b"\n")
                target.flush()
                os.fsync(target.fileno())
            part.replace(self._path)
        except OSError as error:
            raise RaffinateError(
                f"{self._path}: the state cannot be kept ({error}); name another file with "
                "--resume, or leave it out"
            ) from None
