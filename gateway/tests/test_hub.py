"""The live hub: newest by sample time, the same objects where nothing changed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from raffinate.live import Hub
from raffinate.live.hub import AHEAD_MS_MAX
from raffinate.model import Sample
from series_frames import stored


def frame(time_ms, *values, node="n01"):
    return stored(1, time_ms, [(point, value, "good") for point, value in values], node=node)


def test_backfill_never_moves_a_value_back():
    hub = Hub()
    hub.publish([frame(2000, ("e01/ph", 2.0))])
    hub.publish([frame(1000, ("e01/ph", 1.0))])
    assert hub.latest()["e01/ph"] == Sample("e01/ph", 2.0, "good", 2000)
    hub.publish([frame(3000, ("e01/ph", 3.0)), frame(2500, ("e01/ph", 2.5))])
    assert hub.latest()["e01/ph"].value == 3.0


def test_a_sample_that_did_not_change_stays_the_same_object():
    hub = Hub()
    hub.publish([frame(1000, ("e01/ph", 1.0)), frame(1000, ("e05/ph", 1.0), node="n02")])
    before = hub.latest()
    assert hub.latest() is before
    hub.publish([frame(2000, ("e01/ph", 1.0))])
    after = hub.latest()
    assert after["e05/ph"] is before["e05/ph"]
    assert after["e01/ph"] is not before["e01/ph"]


def test_a_bad_value_is_shown_as_bad():
    hub = Hub()
    hub.publish([stored(1, 1000, [("e01/ph", None, "F:open")])])
    assert hub.latest()["e01/ph"] == Sample("e01/ph", None, "F:open", 1000)


def test_what_a_store_remembers_is_shown_until_something_newer_comes():
    hub = Hub()
    hub.seed({"e01/ph": Sample("e01/ph", 1.0, "good", 1000)}, 2000)
    assert hub.latest()["e01/ph"].value == 1.0
    hub.publish([frame(500, ("e01/ph", 0.5))])
    assert hub.latest()["e01/ph"].value == 1.0
    hub.publish([frame(1500, ("e01/ph", 1.5))])
    assert hub.latest()["e01/ph"].value == 1.5


def test_a_time_far_ahead_keeps_nothing_from_being_shown():
    """Anybody at the broker can write a frame of the year 287396, and a clock may jump."""
    hub, far = Hub(), (1 << 53) - 1
    hub.publish([frame(1000, ("e01/ph", 1.0), ("e01/cond", 1.0))])
    hub.publish([replace(frame(far, ("e01/ph", 9.0)), received_ms=2000)])
    assert hub.latest()["e01/ph"] == Sample("e01/ph", 9.0, "good", far)
    hub.publish([frame(3000, ("e01/ph", 3.0), ("e01/cond", 3.0))])
    assert hub.latest()["e01/ph"].value == 9.0
    assert hub.latest()["e01/cond"].value == 3.0
    later_ms = 2001 + AHEAD_MS_MAX
    hub.publish([frame(later_ms, ("e01/ph", 4.0))])
    assert hub.latest()["e01/ph"].value == 4.0
    hub.publish([frame(later_ms - 1, ("e01/ph", 5.0))])
    assert hub.latest()["e01/ph"].value == 4.0


def test_what_a_store_remembers_of_the_future_keeps_nothing_from_being_shown():
    hub = Hub()
    hub.seed({"e01/ph": Sample("e01/ph", 9.0, "good", (1 << 53) - 1)}, 2000)
    assert hub.latest()["e01/ph"].value == 9.0
    hub.publish([frame(2001 + AHEAD_MS_MAX, ("e01/ph", 1.0))])
    assert hub.latest()["e01/ph"].value == 1.0


points = st.lists(
    st.sampled_from(["e01/ph", "e01/cond", "e02/ph", "e02/cond"]), unique=True, max_size=4
)


@given(
    st.lists(st.tuples(st.integers(0, 50), points, st.booleans()), max_size=30),
    st.integers(1, 5),
)
def test_hub_agrees_with_a_dictionary(scans, batch_size):
    hub, expected = Hub(), {}
    frames = []
    for number, (time_ms, names, _) in enumerate(scans):
        frames.append(frame(time_ms, *((name, float(number)) for name in names)))
        for name in names:
            if name not in expected or time_ms > expected[name]:
                expected[name] = time_ms
    for start in range(0, len(frames), batch_size):
        hub.publish(frames[start : start + batch_size])
        if scans[start][2]:
            hub.latest()
    assert {name: sample.time_ms for name, sample in hub.latest().items()} == expected
