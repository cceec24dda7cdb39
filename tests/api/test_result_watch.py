"""Whoever watches a batch is woken when it has come further, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import asynccontextmanager
from typing import Any

from api.result_watch import ResultWatch
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.batches import Written


class Batches:
    """A store of batches, and how often it was asked for which."""

    def __init__(self) -> None:
        self.found: dict[str, Written] = {}
        self.asked: list[list[str]] = []
        self.away = False

    def written(self, batch_ids: Collection[str]) -> dict[str, Written]:
        self.asked.append(list(batch_ids))
        if self.away:
            raise StoreUnavailable("away")
        return {one: self.found[one] for one in batch_ids if one in self.found}


@asynccontextmanager
async def running(batches: Batches) -> Any:
    watch = ResultWatch(batches, poll_seconds=0.005)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asked_again(batches: Batches, times: int = 2) -> None:
    count = len(batches.asked)
    async with asyncio.timeout(30):
        while len(batches.asked) < count + times:
            await asyncio.sleep(0.002)


async def heard(event: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await event.wait()
    event.clear()


def test_news_wakes_all_who_watch_and_silence_nobody() -> None:
    async def watch() -> None:
        batches = Batches()
        batches.found = {"a": Written("in_progress", 0, 0), "b": Written("in_progress", 0, 0)}
        async with running(batches) as watching:
            with watching.watch("a") as first, watching.watch("a") as second:
                with watching.watch("b") as other:
                    for event in (first, second, other):
                        await heard(event)  # what it missed before it came
                    await asked_again(batches)
                    assert not first.is_set()
                    assert not other.is_set()
                    batches.found["a"] = Written("in_progress", 10, 0)
                    await heard(first)
                    await heard(second)
                    assert not other.is_set()
                del batches.found["a"]
                await heard(first)
            count = len(batches.asked)
            await asyncio.sleep(0.05)
            assert len(batches.asked) <= count + 1  # nobody watches, so nobody is asked

    asyncio.run(watch())


def test_a_store_that_is_away_is_asked_again() -> None:
    async def watch() -> None:
        batches = Batches()
        batches.away = True
        async with running(batches) as watching:
            with watching.watch("a") as event:
                await asked_again(batches)
                assert not event.is_set()
                batches.away = False
                await heard(event)

    asyncio.run(watch())


def test_all_are_let_go_when_the_process_stops() -> None:
    async def watch() -> None:
        watching = ResultWatch(Batches())
        with watching.watch("a") as event:
            watching.release()
            await heard(event)
        with watching.watch("b") as late:
            assert late.is_set()
        assert watching.released

    asyncio.run(watch())
