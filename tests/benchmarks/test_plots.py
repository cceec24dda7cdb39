"""The plots are well-formed SVG and show what they were given."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.document import Document, Result
from tests.benchmarks.figures import Figures
from tests.benchmarks.plots import PLOTS, drawn, write
from tests.benchmarks.sections import depth, latency, model, priority, queue
from tests.benchmarks.svg import OURS


def figures_of(section: str) -> Figures:
    """A few plausible figures of a section that has a plot."""
    names = {
        "queue": [queue.OURS, "Celery, solo", "huey <8> & threads"],
        "enqueue": ["ours, SQLite, 64 callers", "Celery, send_task"],
        "model": [model.BARE, model.OURS, model.NAIVE],
        "latency": [latency.name(system, "noop") for system in latency.SYSTEMS],
        "priority": [priority.IDLE, priority.mixed(100)],
        "depth": ["1,000 queued", "100,000 queued"],
    }[section]
    figures = Figures()
    for place, name in enumerate(names, start=1):
        for turn in range(3):
            value = 1_000.0 * place + turn
            keys = ("rate", "cpu", "p50", "p95", "enqueue")
            figures.add(name, dict.fromkeys(keys, value))
    return figures


def texts_of(svg: str) -> str:
    root = ElementTree.fromstring(svg)  # noqa: S314 - made by ourselves
    return "\n".join(root.itertext())


@pytest.mark.parametrize("section", list(PLOTS))
def test_every_system_is_labelled_and_the_svg_is_well_formed(section: str) -> None:
    figures = figures_of(section)
    (plot,) = PLOTS[section]
    svg = drawn(section, figures)[plot]
    shown = texts_of(svg)
    assert plot.title in shown
    if section == "depth":
        assert all(label in shown for label in ("1,000", "100,000", "enqueued/s", "drained/s"))
    else:
        assert all(name in shown for name in figures.values)
    assert OURS in svg


@pytest.mark.parametrize("section", list(PLOTS))
def test_nothing_is_drawn_without_figures(section: str) -> None:
    assert drawn(section, Figures()) == {}


def test_the_bare_loop_is_a_line_not_a_bar() -> None:
    figures = figures_of("model")
    (svg,) = drawn("model", figures).values()
    assert "stroke-dasharray" in svg
    assert f"{model.BARE}: 1,001" in texts_of(svg)


def test_one_depth_alone_can_be_drawn() -> None:
    figures = Figures()
    figures.add("1,000 queued", {"enqueue": 5.0, "rate": 7.0})
    (svg,) = drawn(depth.SECTION.name, figures).values()
    assert "1,000" in texts_of(svg)


def test_plots_are_written_below_the_folder(tmp_path: Path) -> None:
    result = Result(figures_of("queue"), [], {}, False, True, 1.0)
    write(tmp_path, Document({"queue": result}))
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["bench-queue.svg"]
