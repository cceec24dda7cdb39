"""What a dead worker was at: remembered exactly, or as everything, never as less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.in_work import InWork

ids = st.sampled_from(["job_1", "job_2", "作业", "*", ""])
inputs = st.lists(st.tuples(ids, st.integers(0, 9_999)), max_size=12)


@given(inputs)
def test_what_is_stored_comes_back(inputs: list[tuple[str, int]]) -> None:
    left = InWork.of(inputs)
    assert InWork.load(left.dump()) == left


@given(inputs)
def test_the_jobs_named_are_those_in_work(inputs: list[tuple[str, int]]) -> None:
    left = InWork.of(inputs)
    assert bool(left) == bool(inputs)
    for job_id in ("job_1", "job_2", "作业", "*", "", "another"):
        places = {place for one, place in inputs if one == job_id}
        assert left.names(job_id) == bool(places)
        assert left.place_of(job_id) == (places.pop() if len(places) == 1 else None)


def test_an_input_named_twice_is_one_place() -> None:
    """It can be on the device and named a second time by the encoder that just let go of it."""
    assert InWork.of([("job_1", 4), ("job_1", 4)]).place_of("job_1") == 4


def test_too_many_to_tell_means_any_job_at_no_known_place() -> None:
    left = InWork.load(InWork.all_of_it().dump())
    assert left and left.everything
    assert left.names("job_1") and left.names("")
    assert left.place_of("job_1") is None
    assert left.describe() == "a great many inputs were"


def test_a_job_called_like_the_mark_for_everything_is_a_job() -> None:
    left = InWork.load(InWork.of([("*", 0)]).dump())
    assert not left.everything
    assert not left.names("job_1")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([("作业", 7)], "input 7 of job 作业 was"),
        ([("a", 0), ("a", 1)], "2 inputs of 1 jobs were"),
        ([], "0 inputs of 0 jobs were"),
    ],
)
def test_how_much_it_was(inputs: list[tuple[str, int]], said: str) -> None:
    assert InWork.of(inputs).describe() == said
