import os
import shutil
import tempfile

import pytest

import checks_persistence
from portable import checks_of, run_on_micropython

# About 10 s of one core; others may have it too.
MICROPYTHON_S_MAX = 400
# Thousands of files, each flushed: in RAM where the system has a place for that.
RAM = "/dev/shm"  # noqa: S108 - mkdtemp makes a folder of our own there


@pytest.fixture
def folder(tmp_path):
    if not os.access(RAM, os.W_OK):
        yield str(tmp_path)
        return
    made = tempfile.mkdtemp(prefix="raffinate-", dir=RAM)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("check", checks_of(checks_persistence))
def test_persistence(check, folder):
    check(folder)


@pytest.mark.parametrize("act", ["torn", "off"])
def test_a_write_that_stops_half_way(act, folder):
    checks_persistence.every_step(folder, act)


def test_a_power_cut_after_an_error_that_persisted(folder):
    # far enough for the node to have signed again meanwhile
    checks_persistence.every_step(folder, "after", later=40)


@pytest.mark.micropython
def test_persistence_on_micropython(micropython, folder):
    run_on_micropython(
        micropython, checks_persistence, folder, heapsize="4M", timeout_s=MICROPYTHON_S_MAX
    )
