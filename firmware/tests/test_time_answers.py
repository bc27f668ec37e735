import pytest

import checks_time_answers
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_time_answers))
def test_time_answers(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_time_answers_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_time_answers, tmp_path)
