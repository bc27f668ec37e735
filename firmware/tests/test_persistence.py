import pytest

import checks_persistence
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_persistence))
def test_persistence(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.parametrize("act", ["torn", "off"])
def test_a_write_that_stops_half_way(act, tmp_path):
    checks_persistence.every_step(str(tmp_path), act)


def test_a_power_cut_after_an_error_that_persisted(tmp_path):
    # far enough for the node to have signed again meanwhile
    checks_persistence.every_step(str(tmp_path), "after", later=40)


@pytest.mark.micropython
def test_persistence_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_persistence, tmp_path, heapsize="4M")
