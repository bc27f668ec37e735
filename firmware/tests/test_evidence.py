import pytest

import checks_evidence
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_evidence))
def test_evidence(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_evidence_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_evidence, tmp_path)
