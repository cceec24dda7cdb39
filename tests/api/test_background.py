"""A run that takes long is waited for a while, goes on alone, and is never doubled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from api.background import OneAtATime

PATIENCE = 60.0


def test_an_answer_in_time_is_handed_on() -> None:
    runs = iter(["一", "two"])
    work = OneAtATime(lambda: next(runs))

    async def ask() -> list[str | None]:
        return [await work.ask(PATIENCE), await work.ask(PATIENCE)]

    assert asyncio.run(ask()) == ["一", "two"]


def test_a_run_that_hangs_takes_one_thread_and_its_late_answer_still_counts() -> None:
    go_on = threading.Event()
    begun: list[int] = []

    def hang() -> int:
        begun.append(len(begun))
        go_on.wait(PATIENCE)
        return len(begun)

    work = OneAtATime(hang)

    async def ask() -> tuple[list[int | None], list[int | None]]:
        hung = list(await asyncio.gather(*(work.ask(0.05) for _ in range(3))))
        hung.append(await work.ask(0.05))
        waiting = [asyncio.create_task(work.ask(PATIENCE)) for _ in range(2)]
        await asyncio.sleep(0)
        go_on.set()
        return hung, list(await asyncio.gather(*waiting))

    assert asyncio.run(ask()) == ([None] * 4, [1, 1])
    assert begun == [0]


def test_what_it_raises_is_the_askers_and_the_next_run_is_a_new_one() -> None:
    outcomes: Iterator[Exception | str] = iter([ZeroDivisionError("no"), "fine"])

    def work() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    asked = OneAtATime(work)

    async def ask() -> str | None:
        with pytest.raises(ZeroDivisionError):
            await asked.ask(PATIENCE)
        return await asked.ask(PATIENCE)

    assert asyncio.run(ask()) == "fine"


def test_a_loop_that_ends_leaves_the_run_alone() -> None:
    go_on, over = threading.Event(), threading.Event()

    work = OneAtATime(lambda: go_on.wait(PATIENCE))

    async def give_up() -> None:
        assert await work.ask(0.01) is None
        assert work._run is not None
        work._run.add_done_callback(lambda _: over.set())

    asyncio.run(give_up())
    go_on.set()
    assert over.wait(PATIENCE)
