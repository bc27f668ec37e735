"""The folder of licence files: `licences/*.toml`, read again when a file changes.

A file that cannot be read is a problem in words and stops no other. While it cannot be read, what
it said before does not count; a folder that is away takes no licence with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.errors import ConfigError
from raffinate.licence.document import LICENCE_BYTES_MAX, Licence, parse_licence

if TYPE_CHECKING:
    from pathlib import Path

    from raffinate.model import Plant

SCAN_MS = 1000
FILES_MAX = 1000
GONE_MS = 10_000
"""A file may be away this long, as an editor makes it, before its licence is out of force."""


class LicenceFolder:
    """The licences of a plant by file name."""

    def __init__(self, plant: Plant, folder: Path) -> None:
        self._serials = {item.serial for item in plant.equipment.values()}
        self._folder = folder
        self._licences: dict[str, tuple[Licence, bytes]] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._problems: dict[str, str] = {}
        self._replaced: dict[str, str] = {}
        self._gone: dict[str, int] = {}
        self._scanned_ms: int | None = None
        self.changes = 0

    def scan(self, now_ms: int) -> None:
        """Look at the files, at most each SCAN_MS."""
        if self._scanned_ms is None or not 0 <= now_ms - self._scanned_ms < SCAN_MS:
            self._scanned_ms = now_ms
            self._scan(now_ms)

    def licences(self) -> tuple[Licence, ...]:
        """Those that count."""
        return tuple(licence for licence, _ in self._licences.values())

    def files(self) -> tuple[tuple[Licence, bytes], ...]:
        """Each with its exact bytes."""
        return tuple(self._licences.values())

    def replaced(self, licence: Licence) -> str | None:
        """Digest of the version before: as the file says, or as it stood under the same name."""
        return licence.replaces or self._replaced.get(licence.sha256)

    def lies(self, sha256: str, now_ms: int) -> bool:
        """False when the file of that licence was taken away, and not only for a moment."""
        if not self._folder.is_dir() or any(
            licence.sha256 == sha256 for licence, _ in self._licences.values()
        ):
            self._gone.pop(sha256, None)
            return True
        if self._problems:
            return True  # it may be the one that cannot be read
        since_ms = self._gone.setdefault(sha256, now_ms)
        return 0 <= now_ms - since_ms < GONE_MS

    def problems(self) -> list[str]:
        """Files that cannot be used, in words."""
        return sorted(self._problems.values())

    def _scan(self, now_ms: int) -> None:
        if not self._folder.is_dir():
            return
        found = (path for path in self._folder.glob("*.toml") if path.is_file())
        paths = sorted(found)[:FILES_MAX]
        names = {path.name for path in paths}
        for gone in [name for name in self._stamps if name not in names]:
            del self._stamps[gone]
            self._drop(gone, now_ms)
            self._problems.pop(gone, None)
        for path in paths:
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                if self._stamps.get(path.name) == stamp:
                    continue
                self._stamps[path.name] = stamp
                self._take(path, _read(path))
            except (ConfigError, OSError) as error:
                self._drop(path.name, now_ms)
                self._problems[path.name] = f"licence not used: {error}"

    def _drop(self, name: str, now_ms: int) -> None:
        known = self._licences.pop(name, None)
        if known is not None:
            self._gone.setdefault(known[0].sha256, now_ms)
            self.changes += 1

    def _take(self, path: Path, data: bytes) -> None:
        licence = parse_licence(path.name, data)
        if not self._serials.intersection(licence.serials):
            raise ConfigError(
                f"{path.name}: plant.toml has no equipment with serial {licence.equipment!r}"
            )
        self._problems.pop(path.name, None)
        before = self._licences.get(path.name)
        if before is not None and before[0].sha256 != licence.sha256:
            self._replaced[licence.sha256] = before[0].sha256
        self._licences[path.name] = (licence, data)
        self.changes += 1


def _read(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(LICENCE_BYTES_MAX + 1)
