"""Figures against targets, in the sections where more than one comparison is made."""

from __future__ import annotations

import pytest

from tests.benchmarks.figures import Figures
from tests.benchmarks.sections import memory, model, priority, queue
from tests.benchmarks.sections.registry import SECTIONS


@pytest.mark.parametrize("name", list(SECTIONS))
def test_without_figures_no_target_is_met(name: str) -> None:
    assert all(verdict.word == "not measured" for verdict in SECTIONS[name].judge(Figures()))


def test_the_queue_is_held_against_the_best_of_each_kind() -> None:
    figures = Figures()
    for name, rate in {
        queue.OURS: 3_600.0,
        "Celery, solo": 500.0,
        "Celery, prefork 2": 700.0,
        "huey, 8 threads": 2_500.0,
        "dramatiq, 8 threads": 1_500.0,
    }.items():
        figures.add(name, {"rate": rate})
    own, stock, quickest = SECTIONS["queue"].judge(figures)
    assert (own.word, stock.word, quickest.word) == ("met", "met", "missed")
    assert (stock.baseline, quickest.baseline) == (700.0, 2_500.0)


def test_ratios_are_those_of_the_rounds() -> None:
    figures = Figures()
    for bare, ours in ((100.0, 96.0), (50.0, 48.0), (80.0, 40.0)):
        figures.add(model.BARE, {"rate": bare})
        figures.add(model.OURS, {"rate": ours})
    verdict = SECTIONS["model"].judge(figures)[0]
    assert verdict.ratio == pytest.approx(0.96)
    assert verdict.word == "met"


def test_urgent_work_may_wait_one_step_longer_than_on_an_idle_worker() -> None:
    figures = Figures()
    figures.add(priority.IDLE, {"p95": 60.0})
    figures.add(priority.mixed(priority.DEFAULT_CAP_MS), {"p95": 181.0})
    (verdict,) = SECTIONS["priority"].judge(figures)
    assert (verdict.baseline, verdict.word) == (180.0, "missed")


def test_the_process_that_grew_most_counts() -> None:
    figures = Figures()
    for place, name in enumerate(memory.BULK.values()):
        figures.add(name, {"peak": 50.0, "growth": 40.0 * place})
    grown = SECTIONS["memory"].judge(figures)[1]
    assert (grown.figure, grown.word) == (120.0, "missed")
