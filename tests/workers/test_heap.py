"""The heap after a start: what stays is walked no more, what comes later still is."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from workers.heap import settle_down


@pytest.fixture
def settled() -> Iterator[None]:
    """A heap that has settled down for the length of the test."""
    settle_down()
    yield
    gc.unfreeze()


class _Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("settled")
def test_what_is_alive_is_not_walked_any_more() -> None:
    assert gc.get_freeze_count() > len(gc.get_objects())


@pytest.mark.usefixtures("settled")
def test_a_cycle_that_is_made_later_is_collected() -> None:
    knot = weakref.ref(_Knot())
    gc.collect()
    assert knot() is None
