"""Calls that take too long are left behind, and the caller goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from workers.bounded import MOST_ABANDONED, BoundedCalls
from workers.errors import ModelError


@pytest.fixture
def blocker() -> Iterator[threading.Event]:
    """What a hanging call waits for; set at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def test_results_and_errors_come_back() -> None:
    call = BoundedCalls(30.0, "test")
    assert call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        call(lambda: 1 / 0)
    assert call(lambda: threading.current_thread().name) == "test"
    call.close()


def test_a_call_that_hangs_is_abandoned(blocker: threading.Event) -> None:
    call = BoundedCalls(1.0, "test")
    with pytest.raises(TimeoutError):
        call(blocker.wait)
    assert call(lambda: "on") == "on"
    call.close()


def test_too_many_hanging_calls_end_the_process(blocker: threading.Event) -> None:
    call = BoundedCalls(0.01, "test")
    for _ in range(MOST_ABANDONED):
        with pytest.raises(TimeoutError):
            call(blocker.wait)
    with pytest.raises(ModelError, match="still run"):
        call(blocker.wait)
