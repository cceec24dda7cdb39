"""Inputs that crash are given up, each after its own third time, and no other is."""

from __future__ import annotations

from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.crashes import CRASHES_TO_GIVE_UP, Crashes

places = st.none() | st.integers(0, 5)
events = st.lists(st.tuples(places, st.sampled_from(["gpu-0@甲", "gpu-1@b", "gpu-2@c"])))


def after(events: list[tuple[int | None, str]]) -> Crashes:
    crashes = Crashes()
    for place, worker in events:
        crashes = crashes.after(place, worker)
    return crashes


@given(events)
def test_every_crash_is_counted_once(events: list[tuple[int | None, str]]) -> None:
    crashes = after(events)
    assert crashes.total == len(events)
    assert crashes.unplaced == sum(place is None for place, _ in events)
    for place in range(6):
        assert crashes.given_up(place) == (
            sum(one == place for one, _ in events) >= CRASHES_TO_GIVE_UP
        )


@given(events)
def test_what_is_stored_comes_back(events: list[tuple[int | None, str]]) -> None:
    crashes = after(events)
    assert Crashes.load(crashes.dump()) == crashes


@given(events)
def test_counting_does_not_change_what_was_counted(events: list[tuple[int | None, str]]) -> None:
    crashes = after(events)
    before = crashes.dump()
    crashes.after(0, "gpu-9@here")
    assert crashes.dump() == before


@given(events, st.integers(1, 6))
def test_what_is_left_is_run_worst_first(events: list[tuple[int | None, str]], items: int) -> None:
    crashes = after(events)
    order = crashes.order(items)
    assert sorted(order) == [place for place in range(items) if not crashes.given_up(place)]
    counts = [crashes.places.get(place, 0) for place in order]
    assert counts == sorted(counts, reverse=True)
    for first, second in pairwise(order):
        assert first < second or crashes.places[first] > crashes.places.get(second, 0)


@given(events, st.integers(1, 6))
def test_a_job_is_dead_when_nothing_is_left_to_run(
    events: list[tuple[int | None, str]], items: int
) -> None:
    crashes = after(events)
    unseen = crashes.unplaced >= CRASHES_TO_GIVE_UP
    assert crashes.are_fatal(items) == (unseen or not crashes.order(items))


@given(st.integers(1, 9))
def test_a_job_whose_every_input_crashes_ends_after_three_times_each(items: int) -> None:
    crashes = Crashes()
    while not crashes.are_fatal(items):
        crashes = crashes.after(crashes.order(items)[0], "gpu-0@here")
    assert crashes.total == CRASHES_TO_GIVE_UP * items
    assert set(crashes.places.values()) == {CRASHES_TO_GIVE_UP}


def test_the_latest_workers_are_named_each_once() -> None:
    crashes = after([(0, f"gpu-{number}@here") for number in range(14)])
    assert crashes.workers == tuple(f"gpu-{number}@here" for number in range(4, 14))
    others = tuple(name for name in crashes.workers if name != "gpu-5@here")
    assert crashes.after(0, "gpu-5@here").workers == (*others, "gpu-5@here")


def test_the_reason_names_workers_and_says_once_for_one() -> None:
    one = orjson.loads(Crashes().after(None, "gpu-0@甲").error())
    assert one == {"code": "dead", "message": "its worker died once while it ran alone: gpu-0@甲"}
