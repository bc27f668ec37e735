import pytest

import checks_evidence_cuts
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_evidence_cuts))
def test_evidence_cuts(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_evidence_cuts_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_evidence_cuts, tmp_path)
