from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.retries import JITTER, LONGEST_WAIT, retry_in

SHARES = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 200), st.integers(0, 100), st.floats(0.001, 600), SHARES)
def test_as_often_as_allowed_and_never_too_long(
    done: int, most: int, base: float, random: float
) -> None:
    wait = retry_in(done, most, base, random=random)
    assert (wait is None) == (done >= most)
    if wait is not None:
        assert 0 < wait <= LONGEST_WAIT * (1 + JITTER)
