"""Who waits for a model is answered once; wishes are granted in turn; a refusal stands a while."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from weakref import ref

import pytest

from workers.loading import (
    REFUSAL_SECONDS,
    RETRYABLE_REFUSAL_SECONDS,
    Loading,
    LoadingThread,
    Refusals,
    Wish,
)
from workers.refusal import Refused

PATIENCE = 60.0
REFUSED = Refused("model_unavailable", "no")
PASSING = Refused("model_unavailable", "not now", retryable=True)


def a_wish(name: str = "big") -> Wish:
    return Wish(cast("Any", SimpleNamespace(name=name)), Loading())


def test_all_who_wait_are_answered_once_and_whoever_comes_late_at_once() -> None:
    loading = Loading()
    early: list[object] = []
    late: list[object] = []
    loading.then(early.append)
    loading.then(early.append)
    assert early == []
    loading.settle(REFUSED)
    loading.then(late.append)
    assert early == [REFUSED, REFUSED]
    assert late == [REFUSED]


def test_wishes_are_granted_in_turn() -> None:
    granted: list[str] = []
    over = threading.Event()

    def bring(wish: Wish) -> None:
        granted.append(wish.entry.name)
        if len(granted) == 3:
            over.set()

    thread = LoadingThread(bring)
    for name in ("一", "two", "three"):
        thread.add(a_wish(name))
    assert over.wait(PATIENCE)
    thread.close()
    assert granted == ["一", "two", "three"]


def test_closing_leaves_what_has_not_begun() -> None:
    granted: list[str] = []
    begun = threading.Event()

    def bring(wish: Wish) -> None:
        granted.append(wish.entry.name)
        begun.set()
        while not thread.closed:
            time.sleep(0.01)

    thread = LoadingThread(bring)
    thread.add(a_wish("begun"))
    thread.add(a_wish("later"))
    assert begun.wait(PATIENCE)
    thread.close()
    assert granted == ["begun"]


def test_a_granted_wish_is_not_held_while_the_next_is_waited_for() -> None:
    @dataclass
    class Answer:
        """Something that can be referred to weakly, as an engine can."""

    gone = threading.Event()

    def bring(wish: Wish) -> None:
        answer = Answer()
        held.append(ref(answer, lambda _: gone.set()))
        wish.loading.settle(cast("Any", answer))

    held: list[Any] = []
    thread = LoadingThread(bring)
    thread.add(a_wish())
    assert gone.wait(PATIENCE)
    thread.close()
    assert held[0]() is None


def test_a_thread_that_was_never_asked_closes() -> None:
    thread = LoadingThread[Wish](lambda wish: None)
    assert not thread.closed
    thread.close()
    assert thread.closed


@pytest.mark.parametrize(
    ("refused", "lasts"), [(REFUSED, REFUSAL_SECONDS), (PASSING, RETRYABLE_REFUSAL_SECONDS)]
)
def test_a_refusal_stands_for_its_time(refused: Refused, lasts: float) -> None:
    clock = [100.0]
    refusals = Refusals(lambda: clock[0])
    assert refusals.get("big") is None
    refusals.add("big", refused)
    assert refusals.get("big") is refused
    assert refusals.get("other") is None
    clock[0] += lasts - 0.5
    assert refusals.get("big") is refused
    clock[0] += 1.0
    assert refusals.get("big") is None
    refusals.add("big", PASSING)  # it was tried again
    assert refusals.get("big") is PASSING
