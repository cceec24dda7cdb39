"""Token buckets: what they let through, when they say to come back, what they forget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rate_limit import MOST_TENANTS, RateLimit
from lepton_tasks.errors import Overloaded


class Bench:
    """A limit and its clock."""

    def __init__(self, rate: float, burst_seconds: float) -> None:
        self.now = 50.0
        self.limit = RateLimit("tokens", rate, burst_seconds, lambda: self.now)

    def taken(self, amount: float, tenant: str = "acme") -> bool:
        try:
            self.limit.take(tenant, amount)
        except Overloaded:
            return False
        return True


def test_the_wait_that_is_told_is_enough_and_no_longer() -> None:
    bench = Bench(rate=4.0, burst_seconds=2.0)
    assert bench.limit.take("acme", 7) == 1
    with pytest.raises(Overloaded) as refusal:
        bench.limit.take("acme", 6)
    assert refusal.value.retry_after == pytest.approx(1.25)
    bench.now += 1.2
    assert not bench.taken(6)
    bench.now += 0.05
    assert bench.taken(6)


def test_a_call_larger_than_the_burst_goes_when_the_bucket_is_full_and_is_paid_after() -> None:
    bench = Bench(rate=1.0, burst_seconds=10.0)
    assert bench.taken(25)
    bench.now += 15.0
    assert not bench.taken(1)
    bench.now += 1.0
    assert bench.taken(1)
    assert not bench.taken(25)


def test_what_is_given_back_can_be_used_again_and_never_more() -> None:
    bench = Bench(rate=1.0, burst_seconds=5.0)
    bench.limit.take("acme", 5)
    bench.limit.give_back("acme", 5)
    bench.limit.give_back("acme", 5)
    assert bench.limit.take("acme", 4) == 1


def test_a_slow_rate_lets_a_single_one_through() -> None:
    bench = Bench(rate=0.01, burst_seconds=1.0)
    assert bench.taken(1)
    bench.now += 99.0
    assert not bench.taken(1)
    bench.now += 1.0
    assert bench.taken(1)


def test_without_a_rate_there_is_no_limit() -> None:
    bench = Bench(rate=0.0, burst_seconds=10.0)
    assert all(bench.taken(1e9) for _ in range(100))
    bench.limit.give_back("acme", 1)
    assert bench.limit.headers(7) == {}


def test_tenants_that_have_not_been_seen_for_long_are_forgotten() -> None:
    bench = Bench(rate=1.0, burst_seconds=1.0)
    assert bench.taken(1, "first")
    for number in range(MOST_TENANTS):
        assert bench.taken(1, f"t{number}")
    assert not bench.taken(1, f"t{MOST_TENANTS - 1}")
    assert bench.taken(1, "first")


calls = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 12)), max_size=60)


@given(calls, st.floats(0.1, 20), st.floats(0.1, 5))
def test_no_stretch_of_time_takes_more_than_its_share(
    calls: list[tuple[float, int]], rate: float, burst_seconds: float
) -> None:
    bench = Bench(rate, burst_seconds)
    most = max(1.0, rate * burst_seconds)
    taken: list[tuple[float, float]] = []
    for pause, amount in calls:
        bench.now += pause
        if bench.taken(amount):
            taken.append((bench.now, amount))
    for first, (start, _) in enumerate(taken):
        total = 0.0
        for at, used in taken[first:]:
            total += used
            excess = max(0.0, used - most)  # by one call that found the bucket full
            assert total <= most + rate * (at - start) + excess + 1e-6
