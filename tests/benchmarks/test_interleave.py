"""Turns, and what a failing system does to the others."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.children import StepFailed
from tests.benchmarks.figures import Figures
from tests.benchmarks.interleave import Contender, interleave


def test_each_round_begins_with_another_system() -> None:
    order: list[str] = []

    def contender(name: str) -> Contender:
        def measure() -> Mapping[str, float]:
            order.append(name)
            return {"rate": 1.0}

        return Contender(name, measure)

    interleave([contender(name) for name in "abc"], 3, Figures(), lambda line: None)
    assert "".join(order) == "abcbcacab"


def test_a_failing_system_is_reported_once_and_the_rest_goes_on() -> None:
    lines: list[str] = []
    figures = Figures()

    def fail() -> Mapping[str, float]:
        raise StepFailed("the start: not within 3 s")

    interleave(
        [Contender("broken", fail), Contender("sound", lambda: {"rate": 2.0})],
        2,
        figures,
        lines.append,
    )
    assert figures.failures == {"broken": "the start: not within 3 s"}
    assert figures.rounds("sound", "rate") == [2.0, 2.0]
    assert sum("FAILED: the start" in line for line in lines) == 1
