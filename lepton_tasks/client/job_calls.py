"""``client.jobs``: jobs by their ids."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.calling import Caller
from lepton_tasks.client.handles import DEFAULT_WAIT, AsyncJobHandle, JobHandle
from lepton_tasks.client.jobs import JobSteps
from lepton_tasks.client.tasks import outputs_of
from lepton_tasks.client.views import Job

OutputT = TypeVar("OutputT")
DriverT = TypeVar("DriverT", BlockingDriver, AwaitingDriver)


class JobFilter(TypedDict, total=False):
    """Which jobs are listed; ``after`` is the id of the job that the list goes on behind."""

    task: str | None
    state: str | None
    batch_id: str | None
    after: str | None


class _JobCalls(Generic[DriverT]):
    _driver: DriverT

    def __init__(self, driver: DriverT, caller: Caller) -> None:
        self._driver = driver
        self._steps = JobSteps(caller)


class JobCalls(_JobCalls[BlockingDriver]):
    """Jobs by their ids."""

    def get(self, job_id: str) -> JobHandle[Any]:
        """Read a job.

        Raises:
            UnknownObject: there is none; DeletedObject where there was one.
        """
        return self._handle(self._driver.run(self._steps.get(job_id)))

    def wait(self, job_id: str, timeout: float | None = DEFAULT_WAIT) -> JobHandle[Any]:
        """Wait until a job has ended.

        Raises:
            StillWaiting: it has not within ``timeout`` seconds; it goes on.
        """
        return self._handle(self._driver.run(self._steps.wait(job_id, timeout)))

    def as_completed(
        self, jobs: Iterable[JobHandle[OutputT]], timeout: float | None = None
    ) -> Generator[JobHandle[OutputT], None, None]:
        """Yield jobs as they end, in whichever order.

        Raises:
            StillWaiting: some have not within ``timeout`` seconds; ``ids`` names them.
        """
        handles = {handle.id: handle for handle in jobs}
        seen = {job_id: handle.job for job_id, handle in handles.items()}
        for job in self._driver.iterate(self._steps.as_completed(seen, timeout)):
            yield handles[job.id].saw(job)

    def list(self, **only: Unpack[JobFilter]) -> Generator[JobHandle[Any], None, None]:
        """Yield jobs, newest first; further pages are read as they are needed."""
        for job in self._driver.iterate(self._steps.listed(only)):
            yield self._handle(job)

    def cancel(self, job_id: str) -> JobHandle[Any]:
        """Cancel a job: at once while it waits, soon while it runs."""
        return self._handle(self._driver.run(self._steps.cancel(job_id)))

    def redrive(self, job_id: str) -> JobHandle[Any]:
        """Put a dead job back into its queue."""
        return self._handle(self._driver.run(self._steps.redrive(job_id)))

    def delete(self, job_id: str) -> None:
        """Delete a job with its texts and results.

        Raises:
            WrongState: it runs (``still_running``), or is part of something else.
        """
        self._driver.run(self._steps.delete(job_id))

    def _handle(self, job: Job) -> JobHandle[Any]:
        return JobHandle(self._driver, self._steps, job, outputs_of(job.task))


class AsyncJobCalls(_JobCalls[AwaitingDriver]):
    """Jobs by their ids; see :class:`JobCalls`, whose methods are awaited here."""

    async def get(self, job_id: str) -> AsyncJobHandle[Any]:
        """Read a job."""
        return self._handle(await self._driver.run(self._steps.get(job_id)))

    async def wait(self, job_id: str, timeout: float | None = DEFAULT_WAIT) -> AsyncJobHandle[Any]:
        """Wait until a job has ended; see :meth:`JobCalls.wait`."""
        return self._handle(await self._driver.run(self._steps.wait(job_id, timeout)))

    async def as_completed(
        self, jobs: Iterable[AsyncJobHandle[OutputT]], timeout: float | None = None
    ) -> AsyncGenerator[AsyncJobHandle[OutputT], None]:
        """Yield jobs as they end; see :meth:`JobCalls.as_completed`."""
        handles = {handle.id: handle for handle in jobs}
        seen = {job_id: handle.job for job_id, handle in handles.items()}
        async for job in self._driver.iterate(self._steps.as_completed(seen, timeout)):
            yield handles[job.id].saw(job)

    async def list(self, **only: Unpack[JobFilter]) -> AsyncGenerator[AsyncJobHandle[Any], None]:
        """Yield jobs, newest first."""
        async for job in self._driver.iterate(self._steps.listed(only)):
            yield self._handle(job)

    async def cancel(self, job_id: str) -> AsyncJobHandle[Any]:
        """Cancel a job."""
        return self._handle(await self._driver.run(self._steps.cancel(job_id)))

    async def redrive(self, job_id: str) -> AsyncJobHandle[Any]:
        """Put a dead job back into its queue."""
        return self._handle(await self._driver.run(self._steps.redrive(job_id)))

    async def delete(self, job_id: str) -> None:
        """Delete a job with its texts and results."""
        await self._driver.run(self._steps.delete(job_id))

    def _handle(self, job: Job) -> AsyncJobHandle[Any]:
        return AsyncJobHandle(self._driver, self._steps, job, outputs_of(job.task))
