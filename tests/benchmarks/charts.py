"""Two charts: horizontal bars with their spread, and lines over a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.benchmarks.stats import Spread, number
from tests.benchmarks.svg import (
    CHARACTER,
    INK,
    MUTED,
    OTHER,
    OTHER_LIGHT,
    OURS,
    OURS_LIGHT,
    PAPER,
    RULE,
    SECOND,
    Canvas,
)

_WIDTH = 760.0
_MARGIN = 20.0
_TOP = 64.0
_BAR = 18.0
_GAP = 12.0
_VALUE_ROOM = 78.0
_PLOT_HEIGHT = 260.0
_INSET = 36.0


@dataclass(frozen=True, slots=True)
class Row:
    """A system's bars, one a series; ours is coloured."""

    label: str
    spreads: Sequence[Spread]
    ours: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through points; x is on a logarithmic axis."""

    label: str
    points: Sequence[tuple[float, Spread]]


def bars(
    title: str,
    unit: str,
    rows: Sequence[Row],
    series: Sequence[str] = (),
    reference: tuple[str, float] | None = None,
) -> str:
    """Draw one group of bars a row, the median as bar and number, least to most as a whisker.

    ``series`` names the bars of a group where there are several; ``reference`` is a
    dashed line across all of them.
    """
    count = max(len(row.spreads) for row in rows)
    left = _MARGIN + CHARACTER * max(len(row.label) for row in rows) + 8
    bottom = 22.0 if reference else 4.0
    height = _TOP + len(rows) * (count * (_BAR + 2) + _GAP) + bottom
    canvas = Canvas(_WIDTH, height, title)
    _heading(canvas, title, unit)
    _legend(canvas, series)
    most = max(spread.most for row in rows for spread in row.spreads)
    most = max(most, reference[1] if reference else 0.0) or 1.0
    scale = (_WIDTH - left - _VALUE_ROOM - _MARGIN) / most
    foot = height - bottom - _GAP + 4
    if reference:
        x = left + reference[1] * scale
        canvas.line((x, _TOP - 6), (x, foot + 2), INK, width=1.5, dashed=True)
        canvas.text(x, foot + 18, f"{reference[0]}: {number(reference[1])}", anchor="end", size=12)
    y = _TOP
    for row in rows:
        middle = y + len(row.spreads) * (_BAR + 2) / 2 + 4
        canvas.text(left - 8, middle, row.label, anchor="end", bold=row.ours)
        for place, spread in enumerate(row.spreads):
            _bar(canvas, left, y, spread, scale, _colour(row.ours, place))
            y += _BAR + 2
        y += _GAP
    canvas.line((left, _TOP - 6), (left, foot), MUTED)
    return canvas.render()


def lines(title: str, unit: str, x_title: str, drawn: Sequence[Line]) -> str:
    """Draw lines over a logarithmic x axis; y begins at zero."""
    left, right = _MARGIN + 60, _WIDTH - 140
    base = _TOP + _PLOT_HEIGHT
    canvas = Canvas(_WIDTH, base + 56, title)
    _heading(canvas, title, unit)
    places = sorted({x for line in drawn for x, _ in line.points})
    low, high = math.log10(places[0]), math.log10(places[-1])
    top = ceiling(max(spread.most for line in drawn for _, spread in line.points))

    def across(x: float) -> float:
        share = (math.log10(x) - low) / (high - low) if high > low else 0.5
        return left + _INSET + (right - left - 2 * _INSET) * share

    def up(y: float) -> float:
        return base - _PLOT_HEIGHT * y / top

    for step in range(5):
        value = top * step / 4
        canvas.line((left, up(value)), (right, up(value)), RULE)
        canvas.text(left - 8, up(value) + 4, f"{value:,.0f}", anchor="end", size=12, colour=MUTED)
    for x in places:
        canvas.text(across(x), base + 20, f"{x:,.0f}", anchor="middle", size=12, colour=MUTED)
    canvas.text((left + right) / 2, base + 42, x_title, anchor="middle", size=12, colour=MUTED)
    for place, line in enumerate(drawn):
        colour = (OURS, SECOND)[place % 2]
        ends = [(across(x), up(spread.median)) for x, spread in line.points]
        for start, end in pairwise(ends):
            canvas.line(start, end, colour, width=2.5)
        for (x, y), (_, spread) in zip(ends, line.points, strict=True):
            canvas.line((x, up(spread.least)), (x, up(spread.most)), colour, width=1.5)
            canvas.dot(x, y, colour)
            canvas.text(x, y - 10, number(spread.median), anchor="middle", size=12, colour=colour)
        canvas.text(right + 8, ends[-1][1] + 4, line.label, colour=colour, bold=True)
    return canvas.render()


def ceiling(value: float) -> float:
    """Return the next round number above ``value``: 1, 2, 4 or 8 times a power of ten.

    >>> ceiling(3100), ceiling(0.9), ceiling(40)
    (4000.0, 1.0, 40.0)
    """
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return float(next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= value))


def _heading(canvas: Canvas, title: str, unit: str) -> None:
    canvas.text(_MARGIN, 28, title, size=16, bold=True)
    canvas.text(_MARGIN, 47, unit, size=12, colour=MUTED)


def _legend(canvas: Canvas, series: Sequence[str]) -> None:
    x = _WIDTH - _MARGIN - 60.0 * len(series)
    for place, name in enumerate(series):
        canvas.bar(x, 36, 11, 11, _colour(True, place))
        canvas.bar(x + 13, 36, 11, 11, _colour(False, place))
        canvas.text(x + 28, 46, name, size=12, colour=MUTED)
        x += 60


def _bar(canvas: Canvas, left: float, y: float, spread: Spread, scale: float, colour: str) -> None:
    canvas.bar(left, y, spread.median * scale, _BAR, colour)
    end = left + max(spread.median, spread.most) * scale
    if spread.most > spread.least:
        middle = y + _BAR / 2
        whisker = [left + value * scale for value in (spread.least, spread.most)]
        canvas.line((whisker[0], middle), (whisker[1], middle), INK, width=1.2)
        for x in whisker:
            canvas.line((x, middle - 4), (x, middle + 4), INK, width=1.2)
    value = number(spread.median)
    # Its own ground, so that a line of reference does not cross it.
    canvas.bar(end + 4, y + 1, CHARACTER * len(value), _BAR - 2, PAPER)
    canvas.text(end + 6, y + _BAR - 4, value, size=12)


def _colour(ours: bool, place: int) -> str:
    return ((OURS, OURS_LIGHT) if ours else (OTHER, OTHER_LIGHT))[place % 2]
