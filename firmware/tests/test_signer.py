import pytest

import checks_signer
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_signer))
def test_signer(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_signer_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_signer, tmp_path)
