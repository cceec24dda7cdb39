"""Carries out the effects of an operation and blocks meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
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


class BlockingDriver:
    """Runs operations over an httpx client; threads may share it."""

    def __init__(self, http: httpx.Client, configuration: Configuration) -> None:
        self._http = http
        self._configuration = configuration

    def run(self, steps: Steps[T], source: Iterable[Any] = ()) -> T:
        """Run an operation to its end; returns what it ends with. It pulls from ``source``."""
        items = iter(source)
        resume: Callable[[Any], Effect] = steps.send
        value: Any = None
        while True:
            try:
                effect = resume(value)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]
            try:
                value = next(items, END) if isinstance(effect, Pull) else self._do(effect)
                resume = steps.send
            except BaseException as error:  # noqa: BLE001 - the operation decides what comes of it
                value, resume = error, steps.throw

    def iterate(self, steps: Steps[None], source: Iterable[Any] = ()) -> Generator[Any, None, None]:
        """Yield what an operation emits; it pulls from ``source``."""
        items = iter(source)
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
                    value = next(items, END)
                else:
                    value = self._do(effect)
                resume = steps.send
            except GeneratorExit:
                value, resume = Stopped(), steps.throw
            except BaseException as error:  # noqa: BLE001 - the operation decides what comes of it
                value, resume = error, steps.throw

    def _do(self, effect: Effect) -> Any:
        match effect:
            case Send(request):
                return self._send(request)
            case Pause(seconds):
                return time.sleep(seconds)
            case Open(request):
                return self._open(request)
            case Read(stream):
                try:
                    return next(stream.handle[1], None)
                except httpx.RequestError as error:
                    return failure(error)
            case Close(stream):
                return stream.handle[0].close()
        raise AssertionError(effect)

    def _send(self, request: Request) -> Response | Failure:
        built = self._http.build_request(**arguments(request, self._configuration))
        try:
            response = self._http.send(built)
        except httpx.RequestError as error:
            return failure(error)
        return answer(response, response.content)

    def _open(self, request: Request) -> Stream | Failure:
        built = self._http.build_request(**arguments(request, self._configuration))
        try:
            response = self._http.send(built, stream=True)
        except httpx.RequestError as error:
            return failure(error)
        return Stream(answer(response), (response, response.iter_bytes()))
