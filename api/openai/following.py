"""The text of one job while it grows, for a client that may go away at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import redis.asyncio
from starlette.concurrency import run_in_threadpool

from api.openai.answering import Accepted, Answering, Call
from api.openai.failures import outputs_of, stopping, too_late
from api.openai.presence import while_there
from api.waiting import Waiting
from lepton_tasks.broker.chunks import StoredText
from lepton_tasks.broker.streams import AsyncTextStream
from lepton_tasks.jobs import NewJob
from lepton_tasks.states import TERMINAL
from lepton_tasks.store.jobs import JobStore

LOOK_SECONDS: Final = 0.1
"""How soon after its end a text is taken from the store that was not streamed, or not all of it."""

TextOf = Callable[[Mapping[str, Any]], str]
"""Takes the text out of a task's output."""


class Following:
    """Submits a job and follows its text. Close it, whatever comes of it."""

    def __init__(
        self,
        answering: Answering,
        waiting: Waiting,
        jobs: JobStore,
        client: redis.asyncio.Redis,
        text_of: TextOf,
    ) -> None:
        self._answering = answering
        self._waiting = waiting
        self._jobs = jobs
        self._redis = client
        self._text_of = text_of
        self._open = AsyncExitStack()
        self._accepted: Accepted | None = None
        self._pieces: AsyncIterator[str] | None = None
        self._over = False

    @property
    def accepted(self) -> Accepted:
        """The job, once :meth:`begin` has returned."""
        assert self._accepted is not None  # noqa: S101
        return self._accepted

    async def begin(self, call: Call, job: NewJob) -> str:
        """Submit the job; returns the beginning of its text, empty where all of it is nothing.

        Raises:
            ClientDisconnect: nobody waits any more.
            LeptonError: it cannot be accepted, has failed, or did not begin in time.
        """
        pieces = await self._follow(call.tenant, job.id)
        self._accepted = await self._answering.accept(call, [job])
        [job_id] = self._accepted.job_ids
        if job_id != job.id:  # the job of an earlier sending
            await self._open.aclose()
            pieces = await self._follow(call.tenant, job_id)
        self._pieces = pieces
        first = await while_there(call.receive, self._next())
        if first is None:
            await while_there(call.receive, self.output())
        return first or ""

    async def rest(self) -> AsyncIterator[str]:
        """Yield further pieces until the text has ended.

        Raises:
            ApiError: nothing came for as long as calls wait.
            StreamBroken: the text was begun anew by another worker.
        """
        while (piece := await self._next()) is not None:
            yield piece

    async def output(self) -> Mapping[str, Any]:
        """The task's output, which is stored a moment after the text has ended.

        Raises:
            ApiError: there is none.
        """
        [job] = await self._answering.ended(self.accepted)
        [output] = outputs_of(job)
        self._over = True
        return output  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Stop following; a job that has not ended by now is one that nobody waits for."""
        await self._open.aclose()
        if self._accepted is not None and not self._over:
            self._answering.leave(self._accepted)

    async def _follow(self, tenant: str, job_id: str) -> AsyncIterator[str]:
        woken = self._open.enter_context(self._waiting.watch(job_id))

        async def stored() -> StoredText | None:
            if not woken.is_set():
                return None
            if self._waiting.released:
                raise stopping()
            woken.clear()
            job = await run_in_threadpool(self._jobs.get, tenant, job_id)
            if job.state not in TERMINAL:
                return None
            found = (job.result or {}).get("outputs", [{}])[0]
            return StoredText(None if "error" in found or not found else self._text_of(found), None)

        stream = AsyncTextStream(self._redis, job_id, stored, poll_seconds=LOOK_SECONDS)
        return aiter(await self._open.enter_async_context(stream))

    async def _next(self) -> str | None:
        assert self._pieces is not None  # noqa: S101
        try:
            async with asyncio.timeout(self._answering.patience):
                return await anext(self._pieces, None)
        except TimeoutError:
            raise too_late(waited=False) from None


async def began(following: Following, call: Call, job: NewJob) -> str:
    """:meth:`Following.begin`, closed where it does not come to a text.

    Raises:
        ClientDisconnect: nobody waits any more.
        LeptonError: see :meth:`Following.begin`.
    """
    try:
        return await following.begin(call, job)
    except BaseException:
        await following.close()
        raise
