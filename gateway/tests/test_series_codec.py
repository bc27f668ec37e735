"""Chunks give back exactly what they were given, and refuse everything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.series.codec import ChunkError, Columns, decode, encode

decimal_value = st.tuples(st.integers(-9_999_999, 9_999_999), st.integers(0, 9)).map(
    lambda pair: float(f"{pair[0]}e-{pair[1]}")
)
any_value = st.one_of(decimal_value, st.floats(allow_nan=False))
quality = st.sampled_from(["good", "good", "good", "F:open", "S:range", "M:slope"])


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    count = draw(st.integers(1, 60))
    one = st.sampled_from([decimal_value, any_value])
    values = np.array(draw(st.lists(draw(one), min_size=count, max_size=count)))
    times = np.array(draw(st.lists(st.integers(0, 2**42), min_size=count, max_size=count)))
    marks = draw(st.none() | st.lists(quality, min_size=count, max_size=count))
    if marks is not None:
        values = np.where([m == "good" for m in marks], values, np.nan)
    steps = draw(st.none() | st.lists(st.integers(0, 9), min_size=count, max_size=count))
    return Columns(times, values, marks, None if steps is None else np.array(steps, np.int32))


@given(columns())
def test_a_chunk_gives_back_every_bit(chunk: Columns) -> None:
    back = decode(encode(chunk))
    assert back.times.tolist() == chunk.times.tolist()
    good = ~np.isnan(chunk.values)
    assert back.values[good].tobytes() == chunk.values[good].tobytes()
    assert np.isnan(back.values[~good]).all()
    assert back.quality == chunk.quality
    assert (back.steps is None) == (chunk.steps is None)
    if chunk.steps is not None:
        assert back.steps.tolist() == chunk.steps.tolist()


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_chunk_or_the_one_error(data: bytes) -> None:
    try:
        decode(data)
    except ChunkError:
        return


@given(columns(), st.data())
def test_a_damaged_chunk_is_the_one_error_or_another_chunk(
    chunk: Columns, data: st.DataObject
) -> None:
    good = bytearray(encode(chunk))
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))
    try:
        decode(bytes(good))
    except ChunkError:
        return


def test_an_empty_chunk_is_refused() -> None:
    empty = Columns(np.array([], np.int64), np.array([]), None, None)
    with pytest.raises(ValueError, match="1 to 65535"):
        encode(empty)


def test_noisy_plant_values_take_few_bytes() -> None:
    noise = np.random.default_rng(7).normal(0, 0.004, 300)
    chunk = Columns(
        1_795_255_200_000 + np.arange(300) * 1000, np.round(1.85 + noise, 3), None, None
    )
    assert len(encode(chunk)) / 300 < 2
