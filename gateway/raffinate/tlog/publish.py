"""The one write path to a published folder: write, fsync, rename, fsync the folder.

Who can write here can hide entries or serve another history to readers of the folder; a verifier
sees that by the checkpoint's signatures. What was published is never written again.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raffinate.errors import RaffinateError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FILES_OPEN_MAX = 64
_FULL = (errno.ENOSPC, errno.EDQUOT)


class PublishedError(RaffinateError):
    """A published file has other bytes than it must have; the message names it and the remedy."""


class Folder:
    """A published folder. Paths are relative, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises PublishedError when it is missing."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            raise PublishedError(
                f"{self.root / path} is missing; restore the folder {self.root} from its backup"
            ) from None

    def read_tile(self, path: str) -> bytes:
        """A tile's bytes; a partial one that is gone is cut from its full tile."""
        target = self.root / path
        name, mark, width = path.partition(".p/")
        full = self.root / name
        if mark and not target.exists() and full.exists():
            return full.read_bytes()[: int(width) * 32]
        return self.read(path)

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Publish files for good, durable when it returns; those that stand already are kept.

        Raises PublishedError when one stands with other bytes, StorageFullError.
        """
        for at in range(0, len(files), _FILES_OPEN_MAX):
            self._write_some(files[at : at + _FILES_OPEN_MAX])

    def replace(self, path: str, data: bytes) -> None:
        """Put `data` in place atomically, durable when it returns. Raises StorageFullError."""
        target = self.root / path
        replace_file(target, data)

    def remove_tree(self, path: str) -> None:
        """Remove a folder of partial tiles whose full tile is published."""
        target = self.root / path
        if target.is_dir():
            shutil.rmtree(target, ignore_errors=True)

    def _write_some(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write all, fsync all, rename all, fsync their folders: one journal commit serves all."""
        folders: dict[Path, None] = {}
        parts: list[tuple[Path, int]] = []
        with storage_errors(self.root):
            try:
                for path, data in files:
                    target = self.root / path
                    _make_folder(target.parent, folders)
                    folders[target.parent] = None
                    if not _stands(target, data):
                        self._write_part(target, data, parts)
                for _, handle in parts:
                    os.fsync(handle)
                for target, _ in parts:
                    self._rename(target)
            except OSError:
                for target, _ in parts:
                    _part(target).unlink(missing_ok=True)
                raise
            finally:
                for _, handle in parts:
                    os.close(handle)
            for folder in folders:
                self._sync_folder(folder)

    def _write_part(self, target: Path, data: bytes, parts: list[tuple[Path, int]]) -> None:
        handle = os.open(_part(target), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        parts.append((target, handle))
        _write(handle, data)

    def _rename(self, target: Path) -> None:
        _part(target).rename(target)

    def _sync_folder(self, folder: Path) -> None:
        sync_folder(folder)


def replace_file(target: Path, data: bytes, mode: int = 0o644) -> None:
    """Write, fsync, rename, fsync the folder. StorageFullError leaves `target` as it was."""
    with storage_errors(target):
        make_folder(target.parent)
        part = _part(target)
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            try:
                _write(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
            part.rename(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and what is above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def storage_errors(target: Path) -> Iterator[None]:
    """Turn a full disk into StorageFullError that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(f"{target}: no space left; free some, and it goes on") from error
        raise


def _make_folder(folder: Path, changed: dict[Path, None]) -> None:
    """Create a folder and what is above it; what must be synced for it is put into `changed`."""
    if not folder.is_dir():
        _make_folder(folder.parent, changed)
        folder.mkdir(exist_ok=True)
        changed[folder.parent] = None


def _stands(target: Path, data: bytes) -> bool:
    """True when the file is there with these bytes. Raises PublishedError for other bytes."""
    if not target.exists():
        return False
    if target.read_bytes() != data:
        raise PublishedError(
            f"{target} was published with other bytes; nothing was overwritten. Restore "
            "the log's folder and the evidence database from the same backup"
        )
    return True


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
