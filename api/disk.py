"""Threads for the folder of files: a slow disk must not take those that ask the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, ParamSpec, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread

_THREADS: Final = 8
_LONG_THREADS: Final = 4

P = ParamSpec("P")
T = TypeVar("T")


class Disk:
    """Runs what waits for the disk, a few at a time. Lives on one event loop."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_THREADS)
        self._long = CapacityLimiter(_LONG_THREADS)

    async def run(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do ``work`` on a thread. Whoever is cancelled waits for its end."""
        return await to_thread.run_sync(partial(work, *args, **more), limiter=self._limiter)

    async def run_long(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """The same for what may take seconds: flushing a large file, or copying one.

        It has threads of its own, so that blocks and pages do not wait for it.
        """
        return await to_thread.run_sync(partial(work, *args, **more), limiter=self._long)

    async def surely(self, work: Callable[P, object], *args: P.args, **more: P.kwargs) -> None:
        """The same for what tidies up: it is done even where the caller is cancelled."""
        with CancelScope(shield=True):
            await self.run(work, *args, **more)
