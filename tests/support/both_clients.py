"""The same test for both clients: what is awaited of one is awaited behind the scenes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self


class Awaited:
    """Something of an AsyncClient, used as if it were that of a Client."""

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        name = {"close": "aclose"}.get(name, name) if hasattr(self.target, "aclose") else name
        return self._seen(getattr(self.target, name))

    def __call__(self, *args: Any, **fields: Any) -> Any:
        args = tuple(_bare(value) for value in args)
        return self._seen(self.target(*args, **fields))

    def __iter__(self) -> Iterator[Any]:
        pieces = aiter(self.target)
        try:
            while (piece := self._loop.run_until_complete(anext(pieces, self))) is not self:
                yield self._seen(piece)
        finally:
            if hasattr(pieces, "aclose"):
                self._loop.run_until_complete(pieces.aclose())

    def __next__(self) -> Any:
        try:
            return self._seen(self._loop.run_until_complete(anext(self.target)))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self.target.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.run_until_complete(self.target.__aexit__(kind, error, trace))

    def _seen(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._seen(self._loop.run_until_complete(value))
        if type(value).__name__.startswith("Async") or hasattr(value, "__anext__"):
            return Awaited(value, self._loop)
        return Awaited(value, self._loop) if inspect.isroutine(value) else value


def _bare(value: Any) -> Any:
    if isinstance(value, Awaited):
        return value.target
    return [_bare(one) for one in value] if isinstance(value, list) else value
