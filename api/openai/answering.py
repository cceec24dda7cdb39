"""From a compatible call to the jobs behind it, and their results once they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from api.announcing import Announcements
from api.openai.failures import stopping, too_late
from api.openai.outlook import Outlook
from api.openai.parts import shifted
from api.openai.presence import while_there
from api.openai.resends import Resends, Sending, was_resent
from api.putting import put
from api.rate_limit import RateLimit
from api.waiting import Waiting
from lepton_tasks.errors import InvalidInput, LeptonError, NotFound
from lepton_tasks.jobs import Job, NewJob
from lepton_tasks.producer import Producer
from lepton_tasks.requests import JobRequest
from lepton_tasks.states import TERMINAL, JobState

GRACE_SECONDS: Final = 2.0
"""After a client has hung up, how long its job may be asked for again before it is cancelled.

Stock clients that lost a connection send the request again within a second.
"""
QUICK_BYTES: Final = 65_536
"""Bodies up to this are checked on the event loop."""
_USELESS: Final = TERMINAL - {JobState.SUCCEEDED}
_REPLAYED: Final = {"idempotent-replayed": "true"}


@dataclass(frozen=True, slots=True)
class Call:
    """What of a request matters for its jobs beside their content."""

    tenant: str
    print: str
    size: int
    resent: bool
    idempotency_key: str | None
    receive: Receive


@dataclass(frozen=True, slots=True)
class Accepted:
    """Jobs that are stored, and headers that the answer shall have."""

    call: Call
    sending: Sending
    headers: Mapping[str, str]

    @property
    def job_ids(self) -> Sequence[str]:
        """Ids of the jobs, in the order of their requests."""
        return self.sending.job_ids


class Answering:
    """Submits jobs and waits for them, on one event loop. A client that goes away ends its jobs.

    One that has sent an ``Idempotency-Key`` may come back for its answer: its jobs go on.
    """

    def __init__(
        self,
        producer: Producer,
        tokens: RateLimit,
        waiting: Waiting,
        announcements: Announcements,
        resends: Resends,
        outlook: Outlook,
        patience: float,
    ) -> None:
        """``patience`` is for how many seconds a call waits for its answer."""
        self.patience = patience
        self._producer = producer
        self._tokens = tokens
        self._waiting = waiting
        self._announcements = announcements
        self._resends = resends
        self._outlook = outlook
        self._leaving: set[asyncio.Task[None]] = set()

    def call(self, request: Request, tenant: str, body: bytes) -> Call:
        """Read what matters off a request whose body was read."""
        return Call(
            tenant,
            self._resends.fingerprint(tenant, request.url.path, body),
            len(body),
            was_resent(request.headers),
            request.headers.get("idempotency-key"),
            request.receive,
        )

    async def answer(self, call: Call, admitted: Sequence[NewJob]) -> tuple[list[Job], Accepted]:
        """Have jobs done that are admitted, and return them once all have ended.

        Raises:
            ClientDisconnect: nobody waits any more.
            ApiError: the answer did not come in time, or cannot.
            LeptonError: nothing was accepted; see :meth:`accept`.
        """
        accepted = await self.accept(call, admitted)
        try:
            jobs = await while_there(call.receive, self.ended(accepted))
        except ClientDisconnect:
            self.leave(accepted)
            raise
        return jobs, accepted

    async def admit(self, call: Call, requests: Sequence[JobRequest]) -> list[NewJob]:
        """Make jobs of requests; nothing is stored.

        Raises:
            InvalidInput: a request is wrong.
        """

        def admitted() -> list[NewJob]:
            jobs: list[NewJob] = []
            for place, request in enumerate(requests):
                try:
                    bounded = self._bounded(call, request, place)
                    jobs.append(self._producer.admission.admit(call.tenant, bounded))
                except InvalidInput as error:
                    before = sum(len(job.payload.inputs) for job in jobs)
                    raise shifted(error, before) from error
            return jobs

        # Short ones are checked here: a thread would cost more than the check.
        return admitted() if call.size <= QUICK_BYTES else await run_in_threadpool(admitted)

    async def accept(self, call: Call, jobs: Sequence[NewJob]) -> Accepted:
        """Store and publish jobs, or find those of the same request that was sent before.

        Raises:
            Overloaded: there is too much before them.
            LeptonError: they cannot be accepted.
        """
        earlier = await self._earlier(call, jobs)
        if earlier is not None:
            return earlier
        await self._outlook.check(call.tenant, jobs[0].task, jobs[0].priority)
        submitted, headers = await put(self._producer, self._tokens, jobs)
        accepted = Accepted(call, Sending(0, [one.id for one in submitted]), headers)
        if call.idempotency_key is None:
            self._resends.note(call.print, accepted.sending)
        return accepted

    async def ended(self, accepted: Accepted) -> list[Job]:
        """Wait until the jobs of a call have ended.

        Raises:
            ApiError: they have not in time, and are cancelled; or this process stops.
        """
        end = asyncio.get_running_loop().time() + self.patience
        tenant = accepted.call.tenant
        jobs = [await self._ended(tenant, job_id, end) for job_id in accepted.job_ids]
        late = [job for job in jobs if job.state not in TERMINAL]
        if not late:
            return jobs
        if self._waiting.released:
            raise stopping()
        if accepted.call.idempotency_key is None:
            self._resends.forget(accepted.call.print)
            await self.cancel(accepted)
        raise too_late(waited=all(job.started_at is None for job in late))

    def leave(self, accepted: Accepted) -> None:
        """Cancel the jobs of a client that has gone, unless it soon asks for them again."""
        if accepted.call.idempotency_key is None:
            task = asyncio.create_task(self._leave(accepted))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def cancel(self, accepted: Accepted) -> None:
        """Cancel the jobs of a call."""
        for job_id in accepted.job_ids:
            with suppress(NotFound):
                job = await run_in_threadpool(
                    self._producer.store.jobs.cancel, accepted.call.tenant, job_id
                )
                if job.state in TERMINAL:
                    self._announcements.say([job_id])

    async def close(self) -> None:
        """Cancel what clients have left behind, and let go of Redis."""
        leaving = list(self._leaving)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await self._resends.close()

    async def _leave(self, accepted: Accepted) -> None:
        # A process that stops cannot see who comes back: the job's time to live ends it.
        await asyncio.sleep(GRACE_SECONDS)
        latest = await self._resends.latest(accepted.call.print)
        taken_up = (
            latest is not None
            and list(latest.job_ids) == list(accepted.job_ids)
            and latest.number > accepted.sending.number
        )
        if not taken_up:
            with suppress(LeptonError):
                await self.cancel(accepted)

    async def _earlier(self, call: Call, jobs: Sequence[NewJob]) -> Accepted | None:
        """Jobs of the same request, by its key or else as it was sent a moment ago."""
        store = self._producer.store.jobs
        if call.idempotency_key is not None:
            known = await run_in_threadpool(store.earlier, jobs)
            if known is None:
                return None
            return Accepted(call, Sending(0, [one.id for one in known]), _REPLAYED)
        latest = await self._resends.latest(call.print) if call.resent else None
        if latest is None:
            return None
        found = await run_in_threadpool(store.find, call.tenant, latest.job_ids)
        if len(found) < len(latest.job_ids) or any(job.state in _USELESS for job in found):
            return None
        sending = replace(latest, number=latest.number + 1)
        self._resends.note(call.print, sending)
        return Accepted(call, sending, _REPLAYED)

    async def _ended(self, tenant: str, job_id: str, end: float) -> Job:
        """The job once it has ended, or as it is at that time of the event loop."""
        with self._waiting.watch(job_id) as woken:
            while True:
                job = await run_in_threadpool(self._producer.store.jobs.get, tenant, job_id)
                over = asyncio.get_running_loop().time() >= end
                if over or job.state in TERMINAL or self._waiting.released:
                    return job
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(end):
                        await woken.wait()
                woken.clear()

    def _bounded(self, call: Call, request: JobRequest, place: int) -> JobRequest:
        """A request with the call's key, or else with an end to its waiting."""
        if call.idempotency_key is None:
            return replace(request, ttl_seconds=self.patience)
        suffix = f":{place}" if place else ""
        return replace(request, idempotency_key=call.idempotency_key + suffix)
