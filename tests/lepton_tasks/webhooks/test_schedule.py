from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.webhooks.schedule import (
    DELAYS,
    HOUR,
    JITTER,
    MAX_RETRY_AFTER,
    parse_retry_after,
    retry_in,
)


def test_the_whole_schedule_takes_about_three_days() -> None:
    waits = [retry_in(n, 500, None, random=0.5, now=0) for n in range(1, len(DELAYS) + 1)]
    assert waits == list(DELAYS)
    assert 74 * HOUR < sum(DELAYS) < 76 * HOUR
    assert retry_in(len(DELAYS) + 1, 500, None, random=0.5, now=0) is None


@given(
    attempt=st.integers(1, len(DELAYS)),
    random=st.floats(0, 1, exclude_max=True),
    retry_after=st.none() | st.text(max_size=40) | st.integers(0).map(str),
    now=st.floats(0, 4e9),
)
def test_a_wait_is_never_below_the_jitter_nor_above_the_clamp(
    attempt: int, random: float, retry_after: str | None, now: float
) -> None:
    wait = retry_in(attempt, 503, retry_after, random=random, now=now)
    assert wait is not None
    base = DELAYS[attempt - 1]
    assert base * (1 - JITTER) <= wait <= max(base * (1 + JITTER), MAX_RETRY_AFTER)


@pytest.mark.parametrize("status", [None, 301, 308, 400, 404, 408, 429, 500, 503])
def test_everything_but_success_and_gone_is_tried_again(status: int | None) -> None:
    assert retry_in(1, status, None, random=0.5, now=0) == 5.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 37.0),
        ("Sun, 06 Nov 1994 07:48:00 GMT", -3660.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("１２", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after_forms(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=784_111_740) == seconds


def test_a_date_that_is_past_does_not_hurry_us() -> None:
    now = 784_111_740.0
    assert retry_in(1, 503, "Sun, 06 Nov 1994 07:48:00 GMT", random=0.5, now=now) == 5.0
