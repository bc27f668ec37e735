"""Counts every step that makes something durable, and lets the n-th one fail.

A step is a call of `os` that changes a file or folder, or a statement that changes a SQLite
database. A new write in the code under test is a step by itself: nothing here names files.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import shutil
import signal
import sqlite3
from functools import partial
from pathlib import Path
from unittest import mock

ACTS = ("before", "after", "torn", "kill", "power")
_CALLS = ("open", "write", "fsync", "rename", "replace", "link", "mkdir", "unlink", "rmdir")
_READ_ONLY = ("SELECT", "PRAGMA", "ROLLBACK")
_OPEN = io.open
_REAL = {name: getattr(os, name) for name in _CALLS}
_SQLITE = {errno.ENOSPC: sqlite3.SQLITE_FULL, errno.EIO: sqlite3.SQLITE_IOERR_WRITE}


class Steps:
    """Within `with`, counts steps in `names`; number `at` (from 0) fails as `act` says.

    `before`: an error, and nothing happened. `after`: it happened, and then an error. `torn`: a
    write stops half-way. `kill`: SIGKILL. `power`: SIGKILL after all that no fsync made durable
    is undone; what SQLite wrote counts as durable once it is committed.
    """

    def __init__(self, at=-1, act="before", number=errno.ENOSPC):
        self.at, self.act, self.number = at, act, number
        self.names = []
        self._cut = PowerCut()
        self._stack = contextlib.ExitStack()

    @property
    def failed(self):
        return 0 <= self.at < len(self.names)

    def __enter__(self):
        connect = sqlite3.connect
        factory = type("Counted", (_Connection,), {"steps": self})
        for name in _CALLS:
            self._stack.enter_context(mock.patch.object(os, name, partial(self._call, name)))
        self._stack.enter_context(
            mock.patch.object(sqlite3, "connect", partial(connect, factory=factory))
        )
        for module in (io, builtins):
            self._stack.enter_context(mock.patch.object(module, "open", _open_to_read))
        return self

    def __exit__(self, *_):
        self._stack.close()

    def step(self, name, act, error, half=None):
        """Do `act` as the next step; `error` makes what an error of this kind raises."""
        number = len(self.names)
        self.names.append(name)
        if number != self.at:
            return act()
        if self.act == "power":
            self._stack.close()
            self._cut.undo()
        if self.act in ("kill", "power"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.act == "after":
            act()
        elif self.act == "torn" and half is not None:
            half()
        raise error()

    def _call(self, name, *words, **named):
        real = _REAL[name]
        if name == "open" and not words[1] & (os.O_WRONLY | os.O_RDWR):
            handle = real(*words, **named)
            self._cut.opened(handle, words[0])
            return handle
        act = partial(self._act, name, words, named)
        half = None
        if name == "write":
            half = partial(real, words[0], bytes(words[1])[: len(words[1]) // 2])
        error = partial(OSError, self.number, os.strerror(self.number))
        return self.step(f"{name} {words[0]}", act, error, half)

    def _act(self, name, words, named):
        self._cut.before(name, words, named)
        result = _REAL[name](*words, **named)
        self._cut.after(name, words, result)
        if name == "open" and self.act == "after" and len(self.names) - 1 == self.at:
            os.close(result)
        return result


def _open_to_read(path, mode="r", *words, **named):
    if set(mode) & set("wax+"):
        raise AssertionError(f"{path} is written without the steps that can be made to fail")
    return _OPEN(path, mode, *words, **named)


class _Connection(sqlite3.Connection):
    """Every statement that writes is a step."""

    steps: Steps

    def execute(self, sql, *words):
        if sql.lstrip().startswith(_READ_ONLY):
            return super().execute(sql, *words)
        return self.steps.step(sql, partial(super().execute, sql, *words), self._error)

    def executemany(self, sql, rows):
        return self.steps.step(sql, partial(super().executemany, sql, list(rows)), self._error)

    def executescript(self, sql):
        return self.steps.step(sql, partial(super().executescript, sql), self._error)

    def _error(self):
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = _SQLITE[self.steps.number]
        return error


class PowerCut:
    """What a power cut would take: data without fsync, names without an fsync of their folder."""

    def __init__(self):
        self._handles = {}
        self._dirty = set()
        self._names = []

    def opened(self, handle, path):
        self._handles[handle] = Path(path) if isinstance(path, (str, os.PathLike)) else None

    def before(self, name, words, named):
        if named.get("dir_fd") is not None:
            return
        if name in ("rename", "replace"):
            self._forget(Path(words[1]))
            self._forget(Path(words[0]))
        elif name in ("open", "unlink", "mkdir"):
            self._forget(Path(words[0]))

    def after(self, name, words, result):
        if name == "open":
            self.opened(result, words[0])
            self._dirty.add(Path(words[0]))
        elif name == "write":
            self._dirty.add(self._handles.get(words[0]))
        elif name == "fsync":
            path = self._handles.get(words[0])
            self._dirty.discard(path)
            self._names = [(p, data) for p, data in self._names if p.parent != path]
        elif name in ("rename", "replace") and Path(words[0]) in self._dirty:
            self._dirty.discard(Path(words[0]))
            self._dirty.add(Path(words[1]))

    def undo(self):
        """Put the folders into the state that the disk has."""
        for path in self._dirty:
            if path is not None and path.is_file():
                os.truncate(path, 0)
        for path, data in reversed(self._names):
            if path.is_dir():
                shutil.rmtree(path)
            elif data is None:
                path.unlink(missing_ok=True)
            else:
                with contextlib.suppress(FileNotFoundError):
                    path.write_bytes(data)

    def _forget(self, path):
        self._names.append((path, path.read_bytes() if path.is_file() else None))
