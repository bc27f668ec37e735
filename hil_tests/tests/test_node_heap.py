"""A whole node in a board's heap: a short run of what `make heap` does for 20,000 scans."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from raffinate_rig.plugin import requires_tool

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from long_node import HEAP_GROWTH_BYTES_MAX, complaints, run

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.soak]
SCANS = 700
SPEED = 20


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    requires_tool("nats-server")
    requires_tool("micropython")
    return run(SCANS, SPEED, 100, tmp_path_factory.mktemp("long"), lambda _: None)


def test_a_signing_node_of_four_stages_lives_in_a_boards_heap(summary):
    assert summary["absent"] == []
    assert summary["errors"] == []
    assert summary["heap"]["highest"] < 160 * 1024
    assert summary["receipts"] >= SCANS // 60 - 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"absent": [7]}, "never came: [7]"),
        ({"heap": {"early": 1, "late": 2 + HEAP_GROWTH_BYTES_MAX}}, "grew by"),
        ({"late_ms_max": 201}, "201 ms after its tick"),
        ({"errors": ["task link: MemoryError"]}, "console: task link"),
    ],
)
def test_what_is_not_as_demanded_is_told(change, told):
    good = {"absent": [], "errors": [], "heap": {"early": 5, "late": 5}, "late_ms_max": 200}
    assert complaints(good, real_time=True) == []
    assert told in complaints({**good, **change}, real_time=True)[0]
