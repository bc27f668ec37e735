"""Sizes are shown as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.sizes import format_size

FACTORS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (64_000_000, "64 MB"),
        (999_600, "1 MB"),
        (18_249_000_000, "18.2 GB"),
        (20_000_000_000, "20 GB"),
        (1_234_000_000_000_000, "1234 TB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(count, text):
    assert format_size(count) == text


@given(st.integers(0, 1 << 60))
def test_every_size_is_right_within_half_a_percent(count):
    value, unit = re.fullmatch(r"(\d+(?:\.\d+)?) (\w+)", format_size(count)).groups()
    assert float(value) * FACTORS[unit] == pytest.approx(count, rel=0.005)
