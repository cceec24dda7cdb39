"""The choice: bounded in time, near the best rate, as small as that allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.tuning.choice import Point, choose

rates = st.floats(min_value=1.0, max_value=1e6)
points = st.builds(
    lambda threads, doublings, rate, broken: Point(
        threads,
        256 << doublings,
        0.0 if broken else rate,
        0.0 if broken else rate / 40,
        0.0 if broken else (256 << doublings) / rate,
        broken,
    ),
    st.integers(1, 8),
    st.integers(0, 6),
    rates,
    st.booleans(),
)


def measured(found: list[Point]) -> list[Point]:
    return [point for point in found if not point.out_of_memory]


@given(st.lists(points, min_size=1).filter(measured), st.floats(0.001, 10.0))
def test_the_choice_is_smallest_among_the_near_best(found: list[Point], most: float) -> None:
    chosen = choose(found, most)
    assert not chosen.out_of_memory
    quick = [point for point in measured(found) if point.seconds <= most]
    if not quick:
        assert chosen.seconds == min(point.seconds for point in measured(found))
        return
    assert chosen in quick
    floor = 0.97 * max(point.tokens_per_second for point in quick)
    assert chosen.tokens_per_second >= floor
    for other in quick:
        if other.tokens_per_second >= floor:
            assert (chosen.budget, chosen.threads) <= (other.budget, other.threads)


RATES = [
    Point(1, 256, 95.0, 2.0, 0.1),
    Point(1, 512, 98.0, 2.0, 0.2),
    Point(2, 512, 100.0, 2.0, 0.1),
    Point(2, 1024, 300.0, 2.0, 0.9),
]


@given(st.permutations(RATES))
def test_order_of_measuring_does_not_matter(found: list[Point]) -> None:
    assert choose(found) == Point(1, 512, 98.0, 2.0, 0.2)


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="no measured point"):
        choose([Point(1, 256, 0.0, 0.0, 0.0, out_of_memory=True)])
