"""A short soak, and that its judge sees what it is there to see."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from ledger import judge
from raffinate_rig.plugin import requires_tool

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soak import Soak

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.soak]
ROUNDS = 3
SEED = 20261122


@pytest.fixture(scope="module")
def soaked(tmp_path_factory):
    """A plant after its rounds, everything settled, the nodes off."""
    requires_tool("nats-server")
    requires_tool("micropython")
    soak = Soak(tmp_path_factory.mktemp("soak"), SEED)
    for _ in range(ROUNDS):
        soak.round()
    soak.settle()
    yield soak
    soak.close()


def test_rounds_of_kill_9_lose_and_double_nothing(soaked):
    found = soaked.judge()
    assert found.failures == {}
    assert soaked.kills == {"gateway": ROUNDS, "broker": ROUNDS, "node": ROUNDS}
    assert found.frames == found.frames_acked > 50
    assert found.receipts > 10
    assert found.boots > 2


class Tampered:
    """The site with its archive seen through `change`."""

    def __init__(self, site, change):
        self._site, self._change = site, change

    def __getattr__(self, name):
        return getattr(self._site, name)

    def rows(self):
        return self._change(self._site.rows())


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda rows: rows[1:], "sample lost"),
        (lambda rows: [*rows, rows[-1]], "sample doubled, or nobody sent it"),
        (lambda rows: [*rows, rows[0]._replace(value=0.25)], "sample doubled, or nobody sent it"),
        (lambda rows: [rows[0]._replace(value=0.25), *rows[1:]], "sample lost"),
    ],
)
def test_the_judge_sees_what_is_wrong_with_an_archive(soaked, change, kind):
    assert kind in judge(Tampered(soaked.site, change), soaked.spy).failures


def test_the_judge_sees_holes_and_statements_that_are_missing(soaked):
    spy = soaked.spy
    counts = Counter((key, boot) for key, boot, _ in spy.frames)
    (key, boot), _ = counts.most_common(1)[0]
    hole = (key, boot, 1)
    statement = max(spy.statements)
    frame, envelope = spy.frames.pop(hole), spy.statements[statement]
    index = spy.receipts[statement].index
    spy.receipts[statement].index = 0
    try:
        kinds = judge(soaked.site, spy).failures
    finally:
        spy.frames[hole], spy.statements[statement] = frame, envelope
        spy.receipts[statement].index = index
    assert "receipted statement lost" in kinds
    assert "hole without a signed gap" in kinds
