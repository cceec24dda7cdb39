"""The window counts every stage."""

from __future__ import annotations

from workers.window import Window


def test_every_stage_counts_and_urgent_work_has_as_much_again() -> None:
    first, second = [1, 2, 3], [4]
    window = Window(10, (first, second))
    assert (window.free(), window.free_for_urgent()) == (6, 16)
    assert not window.is_empty()
    assert Window(10, ([], [])).is_empty()
    first += range(20)
    assert (window.free(), window.free_for_urgent()) == (-14, -4)
