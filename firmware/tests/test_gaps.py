import pytest

import checks_gaps
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_gaps))
def test_gaps(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_gaps_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_gaps, tmp_path)
