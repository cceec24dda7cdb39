"""Whether it makes sense to wait: who serves a task, and how far behind its queue is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from api.errors import ApiError
from lepton_tasks.errors import Overloaded
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.tenant_bound import LEAST_WAIT, MOST_WAIT

Line = tuple[str, str, Priority]
"""Tenant, task and priority."""

KEEP_SECONDS: Final = 1.0
"""For how long what the store said is taken for true."""
MOST_LINES: Final = 10_000
_NO_WORKER_SECONDS: Final = 5


class Queues(Protocol):
    """What is asked of the store."""

    def served(self) -> set[str]:
        """Tasks that a live worker serves."""
        ...

    def ahead(self, tenant: str, task: str, priority: Priority) -> float:
        """Seconds for which the oldest job before a new one has waited."""
        ...


class Outlook:
    """Refuses calls whose answer would not come in time. Asks the store once a second a line."""

    def __init__(
        self, queues: Queues, patience: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``patience`` is for how many seconds a call waits."""
        self._queues = queues
        self._patience = patience
        self._clock = clock
        self._served: tuple[float, set[str]] = (float("-inf"), set())
        self._ahead: dict[Line, tuple[float, float]] = {}

    async def check(self, tenant: str, task: str, priority: Priority) -> None:
        """Return where an answer may come in time.

        Raises:
            ApiError: 503, no worker serves the task.
            Overloaded: the jobs before it have waited for as long as a call waits at all.
        """
        if task not in await self._tasks():
            raise ApiError(
                503,
                "no_worker",
                f"no worker serves {task} now; nothing was accepted, send it again",
                headers={"retry-after": str(_NO_WORKER_SECONDS)},
            )
        ahead = await self._age((tenant, task, priority))
        if ahead >= self._patience:
            raise Overloaded(
                f"jobs in {queue_name(task, priority)} have waited for {ahead:,.0f} s, longer than "
                f"a call waits for its answer ({self._patience:g} s); nothing was accepted. "
                "Send it again later, or as a job with POST /v1/jobs",
                min(MOST_WAIT, max(LEAST_WAIT, ahead - self._patience / 2)),
                "backlog_full",
            )

    async def _tasks(self) -> set[str]:
        asked_at, served = self._served
        if self._clock() - asked_at > KEEP_SECONDS:
            served = await asyncio.to_thread(self._queues.served)
            self._served = self._clock(), served
        return served

    async def _age(self, line: Line) -> float:
        asked_at, ahead = self._ahead.get(line, (float("-inf"), 0.0))
        if self._clock() - asked_at > KEEP_SECONDS:
            ahead = await asyncio.to_thread(self._queues.ahead, *line)
            self._ahead.pop(line, None)
            while len(self._ahead) >= MOST_LINES:
                del self._ahead[next(iter(self._ahead))]
            self._ahead[line] = self._clock(), ahead
        return ahead
