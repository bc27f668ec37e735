from pathlib import Path

import pytest

import checks_store
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_store))
def test_store(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_store_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_store, tmp_path)


@pytest.mark.micropython
def test_a_power_cut_at_every_flash_operation_of_littlefs(micropython):
    out = micropython.run(Path(__file__).with_name("upy_littlefs.py"), heapsize="16M")
    assert out.splitlines()[-1] == "passed"
    assert len([line for line in out.splitlines() if line.startswith("littlefs ")]) == 6
