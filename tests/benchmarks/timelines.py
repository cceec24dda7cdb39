"""A chart of values over time: what each of some processes takes, second by second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.benchmarks.charts import ceiling
from tests.benchmarks.svg import INK, MUTED, OTHER, OURS, OURS_LIGHT, RULE, SECOND, Canvas

_WIDTH = 760.0
_LEFT = 70.0
_RIGHT = 170.0
_TOP = 64.0
_HEIGHT = 260.0
_COLOURS = (OURS, SECOND, OTHER, OURS_LIGHT, MUTED)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A named line through points of seconds and values, in order."""

    label: str
    points: Sequence[tuple[float, float]]


def over_time(title: str, unit: str, drawn: Sequence[Timeline]) -> str:
    """Draw the lines from zero, each with its name at its last point."""
    canvas = Canvas(_WIDTH, _TOP + _HEIGHT + 46, title)
    canvas.text(20, 28, title, size=16, bold=True)
    canvas.text(20, 47, unit, size=12, colour=MUTED)
    last = max((line.points[-1][0] for line in drawn if line.points), default=0.0) or 1.0
    top = ceiling(max((value for line in drawn for _, value in line.points), default=0.0) or 1.0)
    width = _WIDTH - _LEFT - _RIGHT
    foot = _TOP + _HEIGHT

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return _LEFT + point[0] / last * width, foot - point[1] / top * _HEIGHT

    for step in range(5):
        value = top * step / 4
        _, y = place((0.0, value))
        canvas.line((_LEFT, y), (_LEFT + width, y), RULE)
        canvas.text(_LEFT - 8, y + 4, f"{value:,.0f}", anchor="end", size=12, colour=MUTED)
        x, _ = place((last * step / 4, 0.0))
        canvas.text(x, foot + 18, f"{last * step / 4:,.0f}", anchor="middle", size=12, colour=MUTED)
    canvas.text(_LEFT + width / 2, foot + 38, "seconds", anchor="middle", size=12, colour=MUTED)
    names: list[float] = []
    shown = [line for line in drawn if line.points]
    for number, line in enumerate(sorted(shown, key=lambda one: -one.points[-1][1])):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(point) for point in line.points]
        for start, end in pairwise(placed):
            canvas.line(start, end, colour, width=1.8)
        y = max([placed[-1][1] + 4, *(taken + 16 for taken in names)])
        names.append(y)
        canvas.text(placed[-1][0] + 8, y, line.label, size=12, colour=colour if number else INK)
    return canvas.render()
