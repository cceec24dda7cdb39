"""Jobs as data: nothing of a payload is lost on the way to the store and back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.jobs import FinishedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import TERMINAL, JobState
from tests.support.held import held
from tests.support.stored import stored_job

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
options = st.dictionaries(
    texts,
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts | st.lists(texts, max_size=3),
    max_size=4,
)


@given(st.lists(texts, max_size=5).map(tuple), st.booleans(), options)
def test_a_payload_comes_back_from_the_store(
    inputs: tuple[str, ...], single: bool, options: dict[str, Any]
) -> None:
    payload = Payload(inputs, single, options)
    assert Payload.load(payload.dump()) == payload


@pytest.mark.parametrize("text", ["\ud800", "好\udcff", "\ude00 ok"])
def test_half_a_character_is_not_stored(text: str) -> None:
    with pytest.raises(orjson.JSONEncodeError):
        Payload((text,), single=True).dump()


def test_new_jobs_are_told_apart_and_sort_by_age() -> None:
    ids = [NewJob("acme", "moderation", Payload(("好",), True), 1).id for _ in range(100)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("priority", Priority)
def test_a_job_goes_to_the_queue_of_its_task_and_priority(priority: Priority) -> None:
    job = NewJob("acme", "moderation", Payload(("好",), True), 1, priority=priority)
    assert job.queue == f"moderation.{priority.value}"


def test_how_a_run_ends() -> None:
    claim = held("好").claim
    ends = [
        FinishedJob(claim, "{}", None),
        FinishedJob(claim, "{}", None, failed_items=1),
        FinishedJob(claim, None, '{"code":"x"}'),
        FinishedJob(claim, None, None, cancelled=True),
    ]
    states = [end.state for end in ends]
    assert states == [
        JobState.SUCCEEDED,
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    ]
    assert set(states) <= TERMINAL


@pytest.mark.parametrize(
    ("single", "result", "output"),
    [
        (True, {"outputs": [{"flagged": True}]}, {"flagged": True}),
        (False, {"outputs": [{"flagged": True}]}, [{"flagged": True}]),
        (False, {"outputs": []}, []),
        (True, {"outputs": [None]}, None),
        (True, None, None),
        (False, None, None),
    ],
)
def test_one_bare_input_gets_a_bare_output(
    single: bool, result: dict[str, Any] | None, output: Any
) -> None:
    job = stored_job(single=single, result=result)
    assert job.output() == output
