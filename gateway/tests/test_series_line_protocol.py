"""Line protocol: one line a stage, qualities beside values, steps as tags."""

from __future__ import annotations

from raffinate.series.line_protocol import LineFormatter
from series_frames import stored
from series_plant import plant

T = 1_795_255_200_125


def test_a_stage_is_one_line_with_all_its_fields() -> None:
    frame = stored(1, T, [("e01/ph", 1.851, "good"), ("e01/cond", 9.62, "good")])
    assert LineFormatter(plant()).lines(frame) == [
        f"stage,node=n01,section=extraction,site=ndpr,stage=e01 ph=1.851,cond=9.62 {T}"
    ]


def test_bad_values_are_string_fields_and_never_numbers() -> None:
    frame = stored(1, T, [("e01/ph", None, "F:open"), ("e01/cond", None, 'S:"\\')])
    assert LineFormatter(plant()).lines(frame) == [
        'stage,node=n01,section=extraction,site=ndpr,stage=e01 ph_q="F:open",cond_q="S:\\"\\\\" '
        + str(T)
    ]


def test_a_step_is_a_tag_and_another_stage_another_line() -> None:
    frame = stored(1, T, [("e01/ph", 1.0, "good"), ("x9/ph", 2.5, "good")], step=2)
    assert LineFormatter(plant()).lines(frame) == [
        f"stage,node=n01,section=extraction,site=ndpr,stage=e01,step=2 ph=1.0 {T}",
        f"stage,node=n01,section=-,site=ndpr,stage=x9,step=2 ph=2.5 {T}",
    ]
