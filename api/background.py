"""Work that may take longer than anybody waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class OneAtATime(Generic[T]):
    """Runs ``work`` on a thread, never twice at once: a run that hangs takes one thread.

    Ask from one event loop.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._run: Future[T] | None = None

    async def ask(self, seconds: float) -> T | None:
        """Result of a run that ends within ``seconds``; None where it does not, and goes on.

        The run is one that began now, or an earlier one that has not ended yet. What
        ``work`` raises is raised here.
        """
        if self._run is None or self._run.done():
            self._run = Future()
            self._run.set_running_or_notify_cancel()
            threading.Thread(target=self._go, args=(self._run,), daemon=True).start()
        answer = asyncio.wrap_future(self._run)
        await asyncio.wait([answer], timeout=seconds)
        if answer.done():
            return answer.result()
        answer.cancel()  # the run itself goes on
        return None

    def _go(self, run: Future[T]) -> None:
        try:
            run.set_result(self._work())
        except BaseException as error:  # noqa: BLE001 - it is the asker's
            run.set_exception(error)
