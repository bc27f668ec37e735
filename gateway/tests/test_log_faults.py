"""The log's commit under a fault at every step: nothing told is lost, nothing is numbered twice.

The steps are counted, so that a new one is tried without a line here.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import log_faults
from log_faults import Day, check, make_base, published
from write_faults import Steps

# The fsyncs are counted and made to fail, not timed.
MEMORY = Path("/dev/shm")  # noqa: S108


@pytest.fixture(scope="module")
def scratch():
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def base(scratch):
    return make_base(scratch / "base")


def fresh(base, name):
    folder = base.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    return folder


def count(base):
    folder = fresh(base, "counted")
    before = published(folder / "data" / "log")
    day = Day(folder)
    with Steps() as steps:
        day.run()
    check(folder, before)
    return steps.names


def test_a_day_has_steps_of_every_kind(base):
    names = count(base)
    kinds = {name.split(" ")[0] for name in names}
    assert kinds >= {"open", "write", "fsync", "rename", "mkdir", "unlink", "INSERT", "COMMIT"}


@pytest.mark.parametrize(
    ("number", "act"),
    [
        (errno.ENOSPC, "before"),
        (errno.ENOSPC, "after"),
        (errno.ENOSPC, "torn"),
        # Where a broken disk did nothing, the start after it finds what a kill leaves.
        (errno.EIO, "after"),
    ],
    ids=["full-not-persisted", "full-but-persisted", "full-torn", "broken-but-persisted"],
)
def test_a_failed_write_at_every_step_is_mended_by_going_on(base, act, number):
    names = count(base)
    for at, name in enumerate(names):
        if act == "torn" and not name.startswith("write"):
            continue
        folder = fresh(base, "case")
        log = folder / "data" / "log"
        before = published(log)
        day = Day(folder)
        with Steps(at, act, number) as steps:
            try:
                day.run()
            except (OSError, sqlite3.Error):
                # A full disk that takes no removal either ends the gateway; a start mends that.
                ends = number == errno.EIO or name.startswith(("unlink", "rmdir"))
                assert ends, f"{act} {name}: a full disk ended the gateway"
        assert steps.failed
        before += published(log)
        day.run()
        with naming(act, at, name):
            check(folder, before)


@pytest.mark.parametrize("act", ["kill", "power"])
def test_a_killed_process_and_a_power_cut_at_every_step_are_mended_by_starting(base, act):
    names = count(base)
    with Killed() as killed:
        for at, name in enumerate(names):
            folder = fresh(base, "case")
            log = folder / "data" / "log"
            before = published(log)
            assert killed.run(folder, at, act) == -signal.SIGKILL
            before += published(log)
            Day(folder).run()
            with naming(act, at, name):
                check(folder, before)


def test_a_power_cut_at_every_step_of_a_start_that_mends_a_kill(base):
    names = count(base)
    # All parts of the batch that completes a tile are committed, none is published.
    tiles = next(at for at, name in enumerate(names) if name.endswith("/tile/1"))
    unpublished = max(at for at in range(tiles) if names[at] == "COMMIT") + 1
    with Killed() as killed:
        for at in range(len(names)):
            folder = fresh(base, "case")
            log = folder / "data" / "log"
            before = published(log)
            assert killed.run(folder, unpublished, "kill") == -signal.SIGKILL
            status = killed.run(folder, at, "power", "open")
            before += published(log)
            Day(folder).run()
            with naming("power", at, "of the start after a kill"):
                check(folder, before)
            if status == 0:
                break
    assert at > 30


class Killed:
    """Runs days in processes that are killed; one mother has everything imported already."""

    def __enter__(self):
        self._mother = subprocess.Popen(
            [sys.executable, log_faults.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        return self

    def __exit__(self, *_):
        self._mother.communicate()

    def run(self, folder, at, act, what="day"):
        """Exit status of one day; negative: the signal that ended it."""
        self._mother.stdin.write(f"{folder} {at} {act} {what}\n")
        self._mother.stdin.flush()
        return int(self._mother.stdout.readline())


@contextmanager
def naming(act, at, name):
    try:
        yield
    except Exception as error:
        error.add_note(f"{act} at step {at}: {name}")
        raise
