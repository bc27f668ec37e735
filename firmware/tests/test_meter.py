import pytest

import checks_meter
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_meter))
def test_meter(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_meter_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_meter, tmp_path)
