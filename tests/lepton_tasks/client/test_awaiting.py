from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import END, Emit, Pause, Pull, Steps


def driver() -> AwaitingDriver:
    return AwaitingDriver(httpx.AsyncClient(), Configuration("http://a.test", "k"))


def test_an_operation_that_is_cancelled_cleans_up() -> None:
    done: list[str] = []

    def steps() -> Steps[None]:
        try:
            yield Pause(600)
        finally:
            yield Pause(0)
            done.append("clean")

    async def run() -> None:
        task = asyncio.create_task(driver().run(steps()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert done == ["clean"]


def test_a_source_may_be_awaited_and_a_consumer_may_stop_early() -> None:
    done: list[Any] = []

    def steps() -> Steps[None]:
        try:
            while (item := (yield Pull())) is not END:
                yield Emit(item)
        finally:
            yield Pause(0)
            done.append("clean")

    async def source() -> AsyncIterator[str]:
        for text in ("一", "二", "三"):
            yield text

    async def run() -> None:
        assert [item async for item in driver().iterate(steps(), source())] == ["一", "二", "三"]
        values = driver().iterate(steps(), source())
        assert await anext(values) == "一"
        await values.aclose()

    asyncio.run(run())
    assert done == ["clean", "clean"]
