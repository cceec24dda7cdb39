"""Budgets never leave their bounds, and learn a rate from what the device did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.budget import LEAST_TOKENS, LaneBudgets, TokenBudget

steps = st.lists(
    st.tuples(st.integers(0, 10_000), st.just(0.0) | st.floats(1e-9, 100)), max_size=20
)
seconds = st.floats(0.001, 10)


class Lane:
    """Anything that can be told apart."""


@given(st.integers(LEAST_TOKENS, 100_000), seconds, steps)
def test_a_budget_stays_within_its_bounds(
    most: int, cap: float, steps: list[tuple[int, float]]
) -> None:
    budget = TokenBudget(most, cap)
    for tokens, took in steps:
        budget.observe(tokens, took)
        assert budget.tokens(capped=False) == most
        assert LEAST_TOKENS <= budget.tokens(capped=True) <= most


@given(st.integers(1, 10_000), st.floats(0.001, 10), st.integers(1, 20))
def test_a_steady_device_is_known_exactly(tokens: int, took: float, times: int) -> None:
    budget = TokenBudget(1 << 40, cap_seconds=took)
    for _ in range(times):
        budget.observe(tokens, took)
    assert budget.tokens(capped=True) == pytest.approx(max(LEAST_TOKENS, tokens), abs=1.01)


@given(steps, st.integers(1, 5_000))
def test_a_rate_that_changed_is_learnt(steps: list[tuple[int, float]], tokens: int) -> None:
    budget = TokenBudget(1 << 40, cap_seconds=1.0)
    for count, took in steps:
        budget.observe(count, max(took, 0.1))
    for _ in range(120):
        budget.observe(tokens, 1.0)
    assert budget.tokens(capped=True) == pytest.approx(max(LEAST_TOKENS, tokens), rel=0.01, abs=1)


def test_one_slow_step_does_not_decide() -> None:
    budget = TokenBudget(100_000, cap_seconds=1.0)
    budget.observe(1_000, 1.0)
    budget.observe(1_000, 10.0)
    assert budget.tokens(capped=True) == 820


@pytest.mark.parametrize("took", [0.0, -1.0])
def test_a_clock_that_stood_still_teaches_nothing(took: float) -> None:
    budget = TokenBudget(2_048)
    budget.observe(1_000, took)
    assert budget.tokens(capped=True) == 2_048
    budget.observe(1_000, 0.2)
    budget.observe(1_000, took)
    assert budget.tokens(capped=True) == 500


@given(st.integers(1, 1 << 20), st.integers(0, 40))
def test_memory_that_runs_short_halves_down_to_the_least(most: int, times: int) -> None:
    budget = TokenBudget(most)
    for _ in range(times):
        budget.out_of_memory()
    assert budget.tokens(capped=False) == (max(LEAST_TOKENS, most >> times) if times else most)


def test_lanes_have_budgets_of_their_own() -> None:
    asked: list[Lane] = []

    def tuned(lane: Lane) -> int:
        asked.append(lane)
        return 1_000 * len(asked)

    budgets = LaneBudgets(tuned, cap_seconds=0.1)
    one, other = Lane(), Lane()
    assert [budgets.tokens(lane, now=0.0) for lane in (one, other, one)] == [1_000, 2_000, 1_000]
    budgets.of(one).out_of_memory()
    assert (budgets.tokens(one, 0.0), budgets.tokens(other, 0.0)) == (500, 2_000)
    assert asked == [one, other]


def test_urgent_work_caps_all_lanes_for_a_while() -> None:
    budgets: LaneBudgets[Lane] = LaneBudgets(lambda lane: 2_048, 0.1, memory_seconds=10.0)
    lanes = [Lane(), Lane()]
    for lane in lanes:
        budgets.of(lane).observe(1_000, 0.2)
    assert [budgets.tokens(lane, 100.0) for lane in lanes] == [2_048, 2_048]
    budgets.saw_urgent(100.0)
    assert [budgets.tokens(lane, 100.0) for lane in lanes] == [500, 500]
    assert [budgets.tokens(lane, 109.9) for lane in lanes] == [500, 500]
    assert [budgets.tokens(lane, 110.0) for lane in lanes] == [2_048, 2_048]
    budgets.saw_urgent(105.0)
    budgets.saw_urgent(112.0)
    assert budgets.tokens(lanes[0], 121.0) == 500


def test_a_lane_that_is_gone_is_forgotten() -> None:
    budgets: LaneBudgets[Lane] = LaneBudgets(lambda lane: 2_048, 0.1)
    for _ in range(3):
        budgets.of(Lane())
    assert len(budgets._budgets) == 0
