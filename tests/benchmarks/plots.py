"""Which plot is made of which section's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.benchmarks.charts import Line, Row, bars, lines
from tests.benchmarks.document import Document
from tests.benchmarks.figures import Figures
from tests.benchmarks.sections import model
from tests.benchmarks.stats import spread

FOLDER: Final = "images"


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: its title and file name, and how it is drawn; None where figures are missing."""

    title: str
    file: str
    draw: Callable[[Figures], str | None]


def _rates(title: str, unit: str) -> Callable[[Figures], str | None]:
    def draw(figures: Figures) -> str | None:
        rows = _rows(figures, ["rate"])
        return bars(title, unit, sorted(rows, key=_median, reverse=True)) if rows else None

    return draw


def _texts(figures: Figures) -> str | None:
    rows = [row for row in _rows(figures, ["rate"]) if row.label != model.BARE]
    limit = figures.median(model.BARE, "rate")
    reference = None if limit is None else (model.BARE, limit)
    ranked = sorted(rows, key=_median, reverse=True)
    return bars(_TEXTS, "texts/s, one worker", ranked, reference=reference) if rows else None


def _latencies(figures: Figures) -> str | None:
    rows = _rows(figures, ["p50", "p95"])
    return bars(_LATENCY, "ms, less is better", rows, ["p50", "p95"]) if rows else None


def _urgent(figures: Figures) -> str | None:
    rows = [replace(row, ours=True) for row in _rows(figures, ["p50", "p95"])]
    return bars(_URGENT, "ms, less is better", rows, ["p50", "p95"]) if rows else None


def _depth(figures: Figures) -> str | None:
    drawn = []
    for metric, label in (("enqueue", "enqueued/s"), ("rate", "drained/s")):
        points = [
            (float(name.split()[0].replace(",", "")), spread(figures.rounds(name, metric)))
            for name in figures.values
            if figures.rounds(name, metric)
        ]
        if points:
            drawn.append(Line(label, points))
    return lines(_DEPTH, "jobs/s", "jobs in the queue", drawn) if drawn else None


def _rows(figures: Figures, metrics: Sequence[str]) -> list[Row]:
    return [
        Row(
            name,
            [spread(figures.rounds(name, metric)) for metric in metrics],
            name.startswith("ours"),
        )
        for name in figures.values
        if all(figures.rounds(name, metric) for metric in metrics)
    ]


def _median(row: Row) -> float:
    return row.spreads[0].median


_TEXTS = "MiniLM through the system"
_LATENCY = "Light load: submit to known result, 20 jobs a second"
_URGENT = "Urgent MiniLM jobs, idle and beside a saturating bulk load"
_DEPTH = "Cost of depth"
_DRAIN = "No-op jobs drained by one worker, results stored"
_ENQUEUE = "Enqueuing, one client process"

PLOTS: Final[Mapping[str, Sequence[Plot]]] = {
    "queue": [Plot(_DRAIN, "bench-queue.svg", _rates(_DRAIN, "jobs/s"))],
    "enqueue": [Plot(_ENQUEUE, "bench-enqueue.svg", _rates(_ENQUEUE, "jobs/s"))],
    "model": [Plot(_TEXTS, "bench-model.svg", _texts)],
    "latency": [Plot(_LATENCY, "bench-latency.svg", _latencies)],
    "priority": [Plot(_URGENT, "bench-priority.svg", _urgent)],
    "depth": [Plot(_DEPTH, "bench-depth.svg", _depth)],
}


def drawn(section: str, figures: Figures) -> dict[Plot, str]:
    """The plots of a section that its figures are enough for, each with its SVG."""
    found = {plot: plot.draw(figures) for plot in PLOTS.get(section, ())}
    return {plot: svg for plot, svg in found.items() if svg is not None}


def write(folder: Path, document: Document) -> None:
    """Write every plot of the document below ``folder``."""
    images = folder / FOLDER
    images.mkdir(parents=True, exist_ok=True)
    for section, result in document.results.items():
        for plot, svg in drawn(section, result.figures).items():
            (images / plot.file).write_text(svg, encoding="utf-8")
