"""Actions read as people write them, and what is wrong is said with what is right."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_rig.actions import KINDS, Action, ActionError, parse_action
from raffinate_rig.twin import FAULTS, SECTIONS


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("sap-loss@60s", Action(60.0, "fault", "sap-loss")),
        ("sap-loss", Action(0.0, "fault", "sap-loss")),
        ("stop extraction @ 150 s", Action(150.0, "stop", "extraction")),
        ("start extraction@160", Action(160.0, "start", "extraction")),
        ("electrode-fouled:e03@2min", Action(120.0, "fault", "electrode-fouled", "e03")),
        (" clear sap-loss@1.5h ", Action(5400.0, "clear", "sap-loss")),
    ],
)
def test_texts(text, action):
    assert parse_action(text) == action


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no action: write FAULT@TIME"),
        ("sap-loss@soon", "is no action"),
        ("sap-los@60s", "there is no fault 'sap-los': choose sap-loss, feed-pump-trip"),
        ("stop boiler", "there is no battery 'boiler': choose extraction, scrub, strip"),
        ("melt extraction", "'melt' is nothing the rig can do; it can fault, clear, stop"),
        ("stop extraction:e01", "only a fault strikes a single stage"),
        ("sap-loss@10000h", "the latest time is"),
    ],
)
def test_errors_say_what_is_right(text, message):
    with pytest.raises(ActionError, match=message):
        parse_action(text)


@given(
    at_s=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    fault=st.sampled_from(list(FAULTS)),
    battery=st.sampled_from(list(SECTIONS)),
    stage=st.none() | st.sampled_from(["e01", "c-2"]),
)
def test_an_actions_own_text_reads_back(at_s, kind, fault, battery, stage):
    target = fault if kind in ("fault", "clear") else battery
    action = Action(float(at_s), kind, target, stage if kind == "fault" else None)
    text = f"{kind} {target}{':' + stage if action.stage else ''} @ {at_s} s"
    assert parse_action(text) == action


@given(text=st.text(max_size=60))
def test_any_text_is_an_action_or_the_one_error(text):
    with contextlib.suppress(ActionError):
        assert parse_action(text).kind in KINDS
