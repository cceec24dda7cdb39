"""A tuning for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from workers.tuning.cache import Tuning, TuningKey
from workers.tuning.choice import Point


def tuning_table(tuning: Tuning, key: TuningKey) -> Table:
    """The measured curve, one row a point, the chosen one marked."""
    table = Table(title=f"{key.model} on {key.device}, {key.dtype}")
    for heading in ("threads", "padded tokens", "texts/s", "tokens/s", "ms per micro-batch"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for point in sorted(tuning.points, key=lambda one: (one.threads, one.budget)):
        chosen = point == tuning.choice
        table.add_row(
            f"{point.threads}",
            f"{point.budget:,}",
            *_figures(point),
            "← chosen" if chosen else "",
            style="bold" if chosen else None,
        )
    return table


def tuning_document(tuning: Tuning, key: TuningKey) -> dict[str, Any]:
    """The same as a JSON object, what the tuning is for included."""
    return {
        "key": asdict(key),
        "choice": asdict(tuning.choice),
        "points": [asdict(point) for point in tuning.points],
    }


def _figures(point: Point) -> tuple[str, str, str]:
    if point.out_of_memory:
        return "out of memory", "", ""
    return (
        f"{point.texts_per_second:,.1f}",
        f"{point.tokens_per_second:,.0f}",
        f"{point.seconds * 1e3:,.0f}",
    )
