"""The chart over time is well-formed SVG and names its lines."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.benchmarks.timelines import Timeline, over_time


def test_each_line_is_drawn_and_named() -> None:
    drawn = [
        Timeline("io worker", [(0.0, 80.0), (1.0, 90.0), (2.5, 91.0)]),
        Timeline("Redis", [(0.0, 9.0), (2.5, 9.5)]),
    ]
    svg = over_time("Memory", "MB", drawn)
    root = ElementTree.fromstring(svg)  # noqa: S314 - made by ourselves
    shown = "\n".join(root.itertext())
    assert all(text in shown for text in ("Memory", "MB", "io worker", "Redis", "seconds"))
    assert svg.count('stroke-width="1.8"') == 3


def test_nothing_is_drawn_of_nothing() -> None:
    assert "seconds" in over_time("Memory", "MB", [Timeline("none", [])])
