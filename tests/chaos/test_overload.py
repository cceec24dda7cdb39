"""What an overload must show, by made-up outcomes; the run itself is ``make chaos``."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.chaos.callers import Seen
from tests.chaos.overload import MOST, Memory, Outcome

GOOD = Outcome(
    peak=20.0,
    goodput=19.0,
    alone=Seen(answers=[0.01], ends=[0.4], accepted=["a"]),
    beside=Seen(answers=[0.02], ends=[0.7], accepted=["b"]),
    busy=Seen(answers=[0.01, 0.02], accepted=["c"], waits=[1, 3]),
    longest=MOST + 4,
    bulk_wait=15.0,
    before=Memory({"API": 80.0, "workers": 900.0}),
    after=Memory({"API": 90.0, "workers": 905.0}),
    lost=0,
    unasked=0,
)


def test_what_held_is_told_with_its_figures() -> None:
    assert GOOD.wrong(timed=True) == {}
    assert GOOD.figures() == {
        "lost": "0",
        "offered": "3 jobs",
        "answered 429": "2, Retry-After 1 to 3 s",
        "peak / goodput": "20.0 / 19.0 jobs/s (95%)",
        "longest queue": "44 jobs",
        "longest wait of bulk": "15.0 s",
        "the other's p99 alone / beside": "job 0.40 / 0.70 s, answer 10 / 20 ms",
        "MB before / after": "API 80 / 90, workers 900 / 905",
    }


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"lost": 1}, "lost"),
        ({"unasked": 2}, "jobs that were refused and are there"),
        ({"busy": Seen(accepted=["c"])}, "runs without a refusal"),
        ({"beside": Seen(waits=[1])}, "refusals of the other tenant"),
        ({"busy": Seen(waits=[1], wrong=Counter({"answers 500": 3}))}, "answers 500"),
        ({"longest": 3 * MOST}, "jobs waiting, bound doubled"),
    ],
)
def test_what_did_not_hold_is_found(changes: dict[str, object], fault: str) -> None:
    assert list(replace(GOOD, **changes).wrong(timed=False)) == [fault]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"goodput": 17.9}, "goodput under 90% of the peak, percent"),
        ({"bulk_wait": 20.1}, "bulk wait over its bound, s"),
        ({"beside": Seen(ends=[0.81])}, "p99 of the other over twice alone, percent"),
        ({"after": Memory({"API": 97.0, "workers": 900.0})}, "memory of API grew, MB"),
    ],
)
def test_what_is_too_slow_or_grows_is_found_where_that_is_looked_at(
    changes: dict[str, object], fault: str
) -> None:
    outcome = replace(GOOD, **changes)  # type: ignore[arg-type]
    assert list(outcome.wrong(timed=True)) == [fault]
    assert outcome.wrong(timed=False) == {}
