"""One gateway a data folder."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raffinate.errors import RaffinateError
from raffinate.lock import DataFolderLock

HOLD = """
import sys, time
from pathlib import Path
from raffinate.lock import DataFolderLock
with DataFolderLock(Path(sys.argv[1]), "raffinate gateway --plant x"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_refused_with_the_first_one_s_name(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RaffinateError) as caught, DataFolderLock(tmp_path, "me"):
            pass
        assert f"`raffinate gateway --plant x`, process {other.pid} on" in str(caught.value)
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    with DataFolderLock(tmp_path, "me"):
        assert (tmp_path / "lock.holder").exists()
    assert not (tmp_path / "lock.holder").exists()


def test_a_folder_that_cannot_be_written_is_named():
    # /proc takes no folders, from nobody
    with pytest.raises(RaffinateError, match="cannot be used"):
        DataFolderLock(Path("/proc/raffinate"), "me").__enter__()


def test_a_data_folder_that_is_a_file_is_named(tmp_path):
    file = tmp_path / "data"
    file.write_text("x")
    with pytest.raises(RaffinateError, match="cannot be used"), DataFolderLock(file, "me"):
        pass
