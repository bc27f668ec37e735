import pytest

import checks_clock
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_clock))
def test_clock(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_clock_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_clock, tmp_path)
