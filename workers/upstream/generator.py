"""The thread that has texts written elsewhere: so many requests under way, and no more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from workers.errors import ModelError, TemporaryFailure
from workers.generation.requests import FinishReason, OnText
from workers.generation.waiting import Waiting
from workers.generation.writing import OnWritten, Written
from workers.upstream.client import UpstreamClient
from workers.upstream.kinds import TEXTS, Kind
from workers.upstream.options import UpstreamOptions
from workers.upstream.question import Answer
from workers.upstream.requests import UpstreamRequest
from workers.vital import vital_thread

_LOOK_SECONDS: Final = 0.1
"""How often is looked whether the lease is fresh, the rest over, or the time up."""
_LONGEST_REST: Final = 60.0
_SLACK: Final = 8192


@dataclass(slots=True, eq=False)
class _Job:
    request: UpstreamRequest
    on_done: OnWritten
    on_text: OnText | None
    answer: Answer
    task: asyncio.Task[None] | None = field(default=None)
    cancelled: bool = False


class UpstreamGenerator:
    """A Writer whose texts come from an upstream. Callbacks come from its own thread.

    Where the upstream says how long it wants to be left alone, nothing is begun until then.
    """

    def __init__(
        self,
        name: str,
        options: UpstreamOptions,
        key: str | None,
        may_step: Callable[[], bool] = lambda: True,
        kind: Kind = TEXTS,
    ) -> None:
        """``name`` is that of the catalogue; ``may_step`` says whether the lease is fresh."""
        self._name = name
        self._options = options
        self._kind = kind
        self._client = UpstreamClient(name, options, key)
        self._may_step = may_step
        self._waiting: Waiting[_Job] = Waiting(slack=_SLACK)
        self._held: dict[str, _Job] = {}
        self._running: set[_Job] = set()
        self._lock = threading.Lock()
        self._stop_at: float | None = None
        self._rest_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._thread = vital_thread(self._run, "upstream")

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def submit(
        self, request: UpstreamRequest, on_done: OnWritten, on_text: OnText | None = None
    ) -> None:
        """Take a request; returns at once.

        Raises:
            ModelError: it is held already, or this has stopped.
        """
        with self._lock:
            if self._stop_at is not None:
                raise ModelError("the generator has stopped")
            if request.id in self._held:
                raise ModelError(f"the request {request.id} is held already")
            job = _Job(request, on_done, on_text, self._kind.answer(self._name))
            self._held[request.id] = job
            self._waiting.add(
                request.id, job, size=request.size, rank=request.rank, tenant=request.tenant
            )
        self._wake()

    def cancel(self, request_id: str) -> None:
        """End a request with the text it has; one that is not held is left alone."""
        with self._lock:
            job = self._held.get(request_id)
            if job is None:
                return
            job.cancelled = True
        self._wake()

    def close(self, until: float) -> list[str]:
        """Begin nothing more; returns the ids that did not begin.

        What is under way may end until that time on the monotonic clock.
        """
        with self._lock:
            self._stop_at = until
            ids = [job.request.id for job in self._waiting.drain()]
            for request_id in ids:
                del self._held[request_id]
        self._wake()
        return ids

    def stop(self) -> list[str]:
        """Wait for what may still end, at once where nothing was closed before.

        Returns the ids that did not end; nobody is told of these again.
        """
        ids = [] if self._stop_at is not None else self.close(time.monotonic())
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            ids += self._held
            self._held.clear()
        return ids

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to wake
            self._loop.call_soon_threadsafe(self._news.set)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with self._client:
            while not self._is_over():
                self._news.clear()
                self._heed_cancels()
                self._begin()
                await asyncio.sleep(0)  # a task that never began could not tell of its end
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS if self._looks() else None):
                        await self._news.wait()
            unended = [job.task for job in self._running if job.task is not None]
            for task in unended:
                task.cancel()
            await asyncio.gather(*unended, return_exceptions=True)

    def _is_over(self) -> bool:
        stop_at = self._stop_at
        return stop_at is not None and (not self._running or time.monotonic() >= stop_at)

    def _looks(self) -> bool:
        """Whether something is due that nobody tells of."""
        return self._stop_at is not None or bool(len(self._waiting))

    def _heed_cancels(self) -> None:
        with self._lock:
            cancelled = [job for job in self._held.values() if job.cancelled]
            never_began = [job for job in cancelled if self._waiting.remove(job.request.id)]
        for job in never_began:
            self._end(job, job.answer.so_far(FinishReason.CANCELLED))
        for job in cancelled:
            if job.task is not None:
                job.task.cancel()

    def _begin(self) -> None:
        if time.monotonic() < self._rest_until or not self._may_step():
            return
        while True:
            with self._lock:
                if self._stop_at is not None:
                    return
                job = self._waiting.take(lambda size: self._has_room())
            if job is None:
                return
            self._running.add(job)
            job.task = asyncio.create_task(self._ask(job))

    def _has_room(self) -> bool:
        return len(self._running) < self._options.concurrency

    async def _ask(self, job: _Job) -> None:
        outcome: Written | Exception
        try:
            question = self._kind.ask(self._options.model, job.request.given)
            await self._client.ask(question, job.answer, job.on_text)
            outcome = job.answer.result()
        except asyncio.CancelledError:
            if not job.cancelled:
                raise  # the time is up, and the request is given back
            outcome = job.answer.so_far(FinishReason.CANCELLED)
        except ModelError as error:
            outcome = error
            if isinstance(error, TemporaryFailure) and error.retry_after:
                self._rest_until = time.monotonic() + min(error.retry_after, _LONGEST_REST)
        except Exception as error:  # noqa: BLE001 - one text's failure is an outcome
            outcome = error
        finally:
            self._running.discard(job)
            self._news.set()
        self._end(job, outcome)

    def _end(self, job: _Job, outcome: Written | Exception) -> None:
        with self._lock:
            self._held.pop(job.request.id, None)
        job.on_done(outcome)
