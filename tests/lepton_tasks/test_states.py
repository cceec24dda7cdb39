"""The table of moves: what it must hold whatever edges are added to it."""

from __future__ import annotations

from itertools import product

import pytest

from lepton_tasks.errors import IllegalTransition
from lepton_tasks.states import TERMINAL, WAITING, JobState, check_transition, sources

PAIRS = list(product(JobState, JobState))


def allowed(current: JobState, target: JobState) -> bool:
    try:
        check_transition(current, target)
    except IllegalTransition as error:
        assert str(error) == f"a {current.value} job cannot become {target.value}"
        return False
    return True


@pytest.mark.parametrize("target", JobState)
def test_the_store_filters_on_what_the_check_allows(target: JobState) -> None:
    assert set(sources(target)) == {one for one in JobState if allowed(one, target)}


def test_an_end_is_final_but_for_a_dead_job_that_is_put_back() -> None:
    exits = {(one, to) for one, to in PAIRS if one in TERMINAL and allowed(one, to)}
    assert exits == {(JobState.DEAD, JobState.QUEUED)}


def test_a_job_without_an_end_can_get_one() -> None:
    for state in set(JobState) - TERMINAL:
        assert any(allowed(state, end) for end in TERMINAL)


def test_every_state_can_be_reached_and_none_from_itself() -> None:
    reached = {JobState.QUEUED}
    for _ in JobState:
        reached |= {to for one, to in PAIRS if one in reached and allowed(one, to)}
    assert reached == set(JobState)
    assert not any(allowed(state, state) for state in JobState)


def test_who_waits_belongs_to_no_worker_and_gets_its_end_from_one_alone() -> None:
    assert JobState.RUNNING not in WAITING
    assert not TERMINAL & set(WAITING)
    for state in WAITING:
        assert allowed(state, JobState.CANCELLED) and allowed(state, JobState.EXPIRED)
        assert allowed(state, JobState.RUNNING)
    for end in (JobState.SUCCEEDED, JobState.FAILED, JobState.DEAD):
        assert sources(end) == (JobState.RUNNING,)


def test_states_are_stored_by_their_own_words() -> None:
    assert {JobState(str(state)) for state in JobState} == set(JobState)
