"""Carries out the effects of an operation and lets others run meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

import httpx

from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import (
    END,
    Close,
    Effect,
    Emit,
    Open,
    Pause,
    Pull,
    Read,
    Send,
    Steps,
    Stopped,
    Stream,
)
from lepton_tasks.client.messages import Failure, Request, Response
from lepton_tasks.client.over_httpx import answer, arguments, failure

T = TypeVar("T")


class AwaitingDriver:
    """Runs operations over an httpx client of one event loop."""

    def __init__(self, http: httpx.AsyncClient, configuration: Configuration) -> None:
        self._http = http
        self._configuration = configuration

    async def run(self, steps: Steps[T], source: Iterable[Any] | AsyncIterable[Any] = ()) -> T:
        """Run an operation to its end; returns what it ends with. It pulls from ``source``."""
        items = _items(source)
        resume: Callable[[Any], Effect] = steps.send
        value: Any = None
        while True:
            try:
                effect = resume(value)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]
            try:
                value = (
                    await anext(items, END) if isinstance(effect, Pull) else await self._do(effect)
                )
                resume = steps.send
            except BaseException as error:  # noqa: BLE001 - the operation decides what comes of it
                value, resume = error, steps.throw

    async def iterate(
        self, steps: Steps[None], source: Iterable[Any] | AsyncIterable[Any] = ()
    ) -> AsyncGenerator[Any, None]:
        """Yield what an operation emits; it pulls from ``source``."""
        items = _items(source)
        resume: Callable[[Any], Effect] = steps.send
        value: Any = None
        while True:
            try:
                effect = resume(value)
            except (StopIteration, Stopped):
                return
            try:
                if isinstance(effect, Emit):
                    yield effect.value
                    value = None
                elif isinstance(effect, Pull):
                    value = await anext(items, END)
                else:
                    value = await self._do(effect)
                resume = steps.send
            except GeneratorExit:
                value, resume = Stopped(), steps.throw
            except BaseException as error:  # noqa: BLE001 - the operation decides what comes of it
                value, resume = error, steps.throw

    async def _do(self, effect: Effect) -> Any:
        match effect:
            case Send(request):
                return await self._send(request)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Open(request):
                return await self._open(request)
            case Read(stream):
                try:
                    return await anext(stream.handle[1], None)
                except httpx.RequestError as error:
                    return failure(error)
            case Close(stream):
                return await stream.handle[0].aclose()
        raise AssertionError(effect)

    async def _send(self, request: Request) -> Response | Failure:
        built = self._http.build_request(**arguments(request, self._configuration))
        try:
            response = await self._http.send(built)
        except httpx.RequestError as error:
            return failure(error)
        return answer(response, response.content)

    async def _open(self, request: Request) -> Stream | Failure:
        built = self._http.build_request(**arguments(request, self._configuration))
        try:
            response = await self._http.send(built, stream=True)
        except httpx.RequestError as error:
            return failure(error)
        return Stream(answer(response), (response, response.aiter_bytes()))


async def _items(source: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
