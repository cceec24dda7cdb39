"""What swaps under load must show, by made-up outcomes; the run itself is ``make chaos``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.swaps import Job, Outcome, Stretch


def jobs(*revisions: str, took: float = 0.1, begin: float = 0.0) -> list[Job]:
    """A job a second, at half past."""
    return [
        Job(begin + place + 0.5, took, "succeeded", revision)
        for place, revision in enumerate(revisions)
    ]


GOOD = Outcome(
    jobs=[*jobs("own", "own"), *jobs("own", "v1", took=0.12, begin=2.0)],
    stretches=[Stretch(0.0, 2.0, False, cpu=0.2), Stretch(2.0, 4.0, True, cpu=0.4)],
    swaps=[1.5],
    refused=[],
)


def test_what_held_is_told_with_its_figures() -> None:
    assert GOOD.wrong(timed=True) == {}
    assert GOOD.figures() == {
        "lost": "0",
        "p50 without / with a swap": "100 / 120 ms",
        "p95 without / with a swap": "100 / 120 ms",
        "p99 without / with a swap": "100 / 120 ms",
        "swapped after, p50 / most": "1.5 / 1.5 s",
        "CPU of the worker without / with a swap": "10.0% / 20.0%",
    }


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ([*jobs("own", "v1"), Job(3.5, None, "running", None)], "lost"),
        ([*jobs("own", "v1"), Job(3.5, 0.1, "failed", None)], "failed"),
        (jobs("own", "v1", "own"), "answers of a version that no longer served"),
        (jobs("own", "own", "own"), "swaps that no answer shows"),
    ],
)
def test_what_did_not_hold_is_found(changed: list[Job], fault: str) -> None:
    assert replace(GOOD, jobs=changed).wrong(timed=False) == {fault: 1}


def test_a_refused_swap_is_found() -> None:
    assert replace(GOOD, refused=["no memory"]).wrong(timed=False) == {"swaps that were refused": 1}


def test_a_slow_swap_is_found_where_that_is_looked_at() -> None:
    slow = replace(GOOD, jobs=[*jobs("own", "own"), *jobs("own", "v1", took=0.16, begin=2.0)])
    assert slow.wrong(timed=False) == {}
    assert slow.wrong(timed=True) == {"p95 with a swap over 1.5 times without, percent": 160}
