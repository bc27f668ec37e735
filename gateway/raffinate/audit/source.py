"""Where a bundle's files are read from: a folder or its zip."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Protocol

from raffinate.errors import RaffinateError

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX = 64 * 1024 * 1024


class BundleError(RaffinateError):
    """The bundle cannot be read at all."""


class Source(Protocol):
    """Files by relative path with `/`."""

    def paths(self) -> list[str]:
        """Every file's path, sorted."""

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises KeyError when it is not there, BundleError above 64 MiB."""


def open_source(path: Path) -> Source:
    """A bundle folder or zip. Raises BundleError."""
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise BundleError(f"{path} is not there")
    try:
        return ZipSource(path)
    except zipfile.BadZipFile:
        raise BundleError(f"{path} is neither a folder nor a zip") from None


class FolderSource:
    """A folder; links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> list[str]:
        """Every file's path, sorted."""
        return sorted(
            path.relative_to(self._root).as_posix()
            for path in self._root.rglob("*")
            if path.is_symlink() or not path.is_dir()
        )

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        target = self._root / path
        if target.is_symlink() or not target.is_file():
            raise KeyError(path)
        if target.stat().st_size > FILE_BYTES_MAX:
            raise BundleError(f"{target} is larger than {FILE_BYTES_MAX} bytes")
        return target.read_bytes()


class ZipSource:
    """A zip; a path that stands in it twice is refused."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        names = [info.filename for info in self._zip.infolist() if not info.is_dir()]
        if len(set(names)) != len(names):
            raise BundleError(f"{path} has a path twice")
        self._paths = sorted(names)

    def paths(self) -> list[str]:
        """Every file's path, sorted."""
        return self._paths

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        info = self._zip.getinfo(path)
        if info.file_size > FILE_BYTES_MAX:
            raise BundleError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise BundleError(f"{path} cannot be read from the zip: {error}") from None
