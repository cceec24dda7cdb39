from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.supervisor.progress import StuckClock

looks = st.lists(st.tuples(st.integers(0, 6), st.floats(0, 30)), min_size=1, max_size=40)


@given(looks, st.floats(0, 1e6))
def test_never_more_than_the_time_of_one_unchanged_odd_number(
    looks: list[tuple[int, float]], now: float
) -> None:
    clock = StuckClock()
    last, since = 0, now
    for count, pause in looks:
        now += pause
        if count != last:
            last, since = count, now
        stuck = clock.seconds(count, now)
        assert 0 <= stuck <= (now - since) * 1.000001
        assert count % 2 or stuck == 0


@given(st.integers(1, 60))
def test_frequent_looks_miss_nothing(seconds: int) -> None:
    clock = StuckClock()
    clock.seconds(3, 100.0)
    for number in range(1, seconds + 1):
        stuck = clock.seconds(3, 100.0 + number)
    assert stuck == seconds
