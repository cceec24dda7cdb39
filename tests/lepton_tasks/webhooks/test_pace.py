from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.webhooks.pace import Pace


@given(
    rate=st.floats(0.2, 500),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_no_stretch_of_time_sees_more_than_its_share(rate: float, gaps: list[float]) -> None:
    pace, now, went = Pace(rate), 0.0, []
    for gap in gaps:
        now += gap
        if not pace.wait(now):
            pace.take(now)
            went.append(now)
    for first, begun in enumerate(went):
        for last in range(first, len(went)):
            most = rate * (went[last] - begun) + max(rate, 1.0)
            assert last - first + 1 <= most + 1e-6


@given(rate=st.floats(0.2, 500), count=st.integers(1, 50))
def test_who_waits_as_told_is_let_go_and_loses_nothing(rate: float, count: int) -> None:
    pace, now = Pace(rate), 0.0
    for _ in range(count):
        now += pace.wait(now)
        assert pace.wait(now) <= 1e-6
        pace.take(now)
    assert now <= max(0.0, count - max(rate, 1.0)) / rate + 1e-6
