import pytest

import checks_supervisor
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_supervisor))
def test_supervisor(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_supervisor_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_supervisor, tmp_path)
