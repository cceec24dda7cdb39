"""What people see while a run goes on."""

from __future__ import annotations

import io
import re

from rich.console import Console

from lepton_tasks.bulk.progress import BarDisplay, PlainDisplay, Standing


def standing(done: int, lines: int, share: float | None = 0.1) -> Standing:
    return Standing(done, 1000, lines, 1, share, fresh_lines=lines, seconds=2.0)


def test_plain_lines_come_now_and_then() -> None:
    said: list[str] = []
    with PlainDisplay(said.append, every=0.0) as display:
        display.show(standing(250, 100))
        display.note("a word")
        display.show(standing(1000, 400, share=None))
    assert said == [
        "25%: 100 lines, 50/s, 10.0% flagged, 1 error, 0:00:06 left",
        "a word",
        "100%: 400 lines, 200/s, 1 error",
    ]
    with PlainDisplay(said.append, every=3600.0) as display:
        display.show(standing(500, 200))
    assert len(said) == 3


def test_the_bar_shows_rate_and_share_and_notes_as_they_are() -> None:
    screen = io.StringIO()
    with BarDisplay(Console(file=screen, force_terminal=True, width=120)) as display:
        display.show(standing(250, 1200))
        display.note("no [worker] is there")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "25%" in shown
    assert "1,200 lines, 600/s, 10.0% flagged, 1 error" in shown
    assert "no [worker] is there" in shown
