"""Counts every step by which the node's store changes flash, and lets the n-th one fail.

A step is an open for writing, a write, a flush, a rename, a removal or a new folder: what store.py
asks of the system, and nothing else writes. Runs on CPython and MicroPython.
"""

import os
import sys

import raffinate_node.store as module

# before: an error, and nothing happened. after: it happened, then an error. torn: half of a write
# happened, then an error. off: half of a write happened, then the power goes, and with it what no
# flush had made durable.
ACTS = ("before", "after", "torn", "off")
_open = open


class PowerOff(BaseException):
    """The power goes in a write."""


class FlashFaults:
    """Within `with`, counts steps in `names`; number `at` (from 0) fails as `act` says.

    With `later` the power goes so many steps after an error.
    """

    def __init__(self, at=-1, act="before", later=0):
        self.at, self.act, self.later = at, act, later
        self.names = []
        self.is_off = False

    def __enter__(self):
        module.open = self._opened
        module.os = self
        return self

    def __exit__(self, *_):
        module.open = _open
        module.os = os

    @property
    def happened(self):
        return 0 <= self.at < len(self.names)

    def step(self, name, do, torn=None):
        """Do it as the next step."""
        if self.is_off:
            raise PowerOff
        number = len(self.names)
        self.names.append(name)
        if self.later and self.happened and number == self.at + self.later:
            self.is_off = True
            raise PowerOff
        if number != self.at:
            return do()
        if self.act == "after":
            made = do()
            if made is not None:
                made.close()
        elif self.act != "before" and torn is not None:
            torn()
        if self.act == "off":
            self.is_off = True
            raise PowerOff
        raise OSError(28)

    # What store.py uses of os

    def rename(self, old, new):
        self.step("rename", lambda: os.rename(old, new))

    def remove(self, path):
        os.stat(path)  # what is not there is no step
        self.step("remove", lambda: os.remove(path))

    def mkdir(self, path):
        try:
            os.stat(path)
        except OSError:
            self.step("mkdir", lambda: os.mkdir(path))
            return
        raise OSError(17)

    def listdir(self, path):
        return os.listdir(path)

    def stat(self, path):
        return os.stat(path)

    def _opened(self, path, mode):
        if mode == "rb":
            return _open(path, mode)
        return self.step("open", lambda: File(self, path, mode))


class File:
    """A file being written; what was not flushed when the power goes is lost."""

    def __init__(self, faults, path, mode):
        self._faults = faults
        self._path = path
        self._file = _open(path, mode)
        self._durable = os.stat(path)[6] if mode == "ab" else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        if self._faults.is_off and self._faults.at % 2:
            self._cut()  # or not: both can be

    def close(self):
        self._file.close()

    def write(self, data):
        data = bytes(data)
        self._faults.step(
            "write", lambda: self._put(data), lambda: self._put(data[: len(data) // 2])
        )
        return len(data)

    def flush(self):
        self._faults.step("flush", lambda: None)
        self._durable = os.stat(self._path)[6]

    def _put(self, data):
        self._file.write(data)
        if sys.implementation.name != "micropython":  # which keeps nothing back, and has fsync here
            self._file.flush()

    def _cut(self):
        with _open(self._path, "rb") as file:
            kept = file.read(self._durable)
        with _open(self._path, "wb") as file:
            file.write(kept)
