"""Where a bundle's files are read from: a folder or its zip."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Protocol

from raffinate.errors import RaffinateError, printable

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX = 64 * 1024 * 1024
# Others unpack to any size before anybody can look.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NO_NAMES = ("", ".", "..")
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,  # encrypted; NotImplementedError too
    ValueError,
)


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
    except BundleError:
        raise
    except _ZIP_ERRORS:
        raise BundleError(f"{path} is neither a folder nor a zip") from None


class FolderSource:
    """A folder; links are not followed, and nothing outside is read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: set[str] = {""}

    def paths(self) -> list[str]:
        """Every file's path, sorted."""
        return sorted(
            path.relative_to(self._root).as_posix()
            for path in self._root.rglob("*")
            if path.is_symlink() or not path.is_dir()
        )

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        folder, _, name = path.rpartition("/")
        try:
            if path.startswith("/") or name in _NO_NAMES or not self._is_inside(folder):
                raise KeyError(path)
            target = self._root / path
            found = target.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise KeyError(path)
            if found.st_size > FILE_BYTES_MAX:
                raise BundleError(printable(f"{target} is larger than {FILE_BYTES_MAX} bytes"))
            return target.read_bytes()
        except PermissionError:
            raise BundleError(printable(f"{target} may not be read; allow it")) from None
        except (OSError, ValueError):  # what no name can be is not there either
            raise KeyError(path) from None

    def _is_inside(self, folder: str) -> bool:
        """Whether it is a folder of the bundle's own, not reached by a link."""
        if folder in self._folders:
            return True
        at = self._root
        for name in folder.split("/"):
            at /= name
            if name in _NO_NAMES or not stat.S_ISDIR(at.lstat().st_mode):
                return False
        self._folders.add(folder)
        return True


class ZipSource:
    """A zip; a path that stands in it twice is refused."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        names = [info.filename for info in files]
        if len(set(names)) != len(names):
            raise BundleError(f"{path} has a path twice")
        for info in files:
            if info.compress_type not in _METHODS:
                name = printable(info.filename)
                raise BundleError(f"{path}: {name} is neither stored nor deflated; zip it anew")
        self._paths = sorted(names)

    def paths(self) -> list[str]:
        """Every file's path, sorted."""
        return self._paths

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        info = self._zip.getinfo(path)
        name = printable(path)
        if info.file_size > FILE_BYTES_MAX:
            raise BundleError(f"{name} is larger than {FILE_BYTES_MAX} bytes")
        try:
            with self._zip.open(info) as file:
                # With a size: without one everything is unpacked before the stated size counts.
                return file.read(info.file_size + 1)
        except _ZIP_ERRORS as error:
            reason = printable(str(error))
            raise BundleError(f"{name} cannot be read from the zip: {reason}") from None
