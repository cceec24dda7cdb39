"""A job that was submitted, in the hand of whoever wants its result."""

from __future__ import annotations

from typing import Final, Generic, Self, TypeVar

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.jobs import JobSteps, output_of, outputs_in
from lepton_tasks.client.tasks import ItemError, Outputs
from lepton_tasks.client.views import Job

DEFAULT_WAIT: Final = 600.0
"""Seconds that a wait lasts where nothing else is said; None waits for ever."""

OutputT = TypeVar("OutputT")
DriverT = TypeVar("DriverT", BlockingDriver, AwaitingDriver)


class _Handle(Generic[DriverT, OutputT]):
    """What a handle knows without asking the server. ``job`` is the job as it was last read."""

    _driver: DriverT

    def __init__(
        self, driver: DriverT, steps: JobSteps, job: Job, outputs: Outputs[OutputT]
    ) -> None:
        self._driver = driver
        self._steps = steps
        self._outputs = outputs
        self.job = job

    @property
    def id(self) -> str:
        """Its id, ``job_…``."""
        return self.job.id

    @property
    def task(self) -> str:
        """Its task."""
        return self.job.task

    @property
    def state(self) -> str:
        """Its state, as it was last read."""
        return self.job.state

    @property
    def ended(self) -> bool:
        """Whether it had ended when it was last read."""
        return self.job.ended

    def saw(self, job: Job) -> Self:
        """Remember the job as it is now."""
        self.job = job
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.task} {self.state}>"


class JobHandle(_Handle[BlockingDriver, OutputT]):
    """A job. Its methods ask the server; what it was last is in ``job``."""

    def refresh(self) -> Self:
        """Read it again."""
        return self.saw(self._driver.run(self._steps.get(self.id)))

    def wait(self, timeout: float | None = DEFAULT_WAIT) -> Self:
        """Wait until it has ended, however that is.

        Raises:
            StillWaiting: it has not within ``timeout`` seconds; it goes on.
        """
        if self.ended:
            return self
        return self.saw(self._driver.run(self._steps.wait(self.id, timeout)))

    def result(self, timeout: float | None = DEFAULT_WAIT) -> OutputT:
        """Wait for the output of its input.

        Raises:
            JobEnded: it has none: JobFailed, JobCancelled or JobExpired, with the reason.
            StillWaiting: it has not ended within ``timeout`` seconds.
            InvalidInput: it has several inputs.
        """
        return output_of(self.wait(timeout).job, self._outputs)

    def results(self, timeout: float | None = DEFAULT_WAIT) -> list[OutputT | ItemError]:
        """Wait for the outputs of its inputs, in order, an ItemError where there is none.

        Raises:
            JobEnded: it has none at all.
            StillWaiting: it has not ended within ``timeout`` seconds.
        """
        return outputs_in(self.wait(timeout).job, self._outputs)

    def cancel(self) -> Self:
        """Cancel it: at once while it waits, soon while it runs."""
        return self.saw(self._driver.run(self._steps.cancel(self.id)))

    def redrive(self) -> Self:
        """Put it back into its queue where it is ``dead``."""
        return self.saw(self._driver.run(self._steps.redrive(self.id)))

    def delete(self) -> None:
        """Delete it with its texts and results."""
        self._driver.run(self._steps.delete(self.id))


class AsyncJobHandle(_Handle[AwaitingDriver, OutputT]):
    """A job; see :class:`JobHandle`, whose methods are awaited here."""

    async def refresh(self) -> Self:
        """Read it again."""
        return self.saw(await self._driver.run(self._steps.get(self.id)))

    async def wait(self, timeout: float | None = DEFAULT_WAIT) -> Self:
        """Wait until it has ended; see :meth:`JobHandle.wait`."""
        if self.ended:
            return self
        return self.saw(await self._driver.run(self._steps.wait(self.id, timeout)))

    async def result(self, timeout: float | None = DEFAULT_WAIT) -> OutputT:
        """Wait for the output of its input; see :meth:`JobHandle.result`."""
        return output_of((await self.wait(timeout)).job, self._outputs)

    async def results(self, timeout: float | None = DEFAULT_WAIT) -> list[OutputT | ItemError]:
        """Wait for the outputs of its inputs; see :meth:`JobHandle.results`."""
        return outputs_in((await self.wait(timeout)).job, self._outputs)

    async def cancel(self) -> Self:
        """Cancel it; see :meth:`JobHandle.cancel`."""
        return self.saw(await self._driver.run(self._steps.cancel(self.id)))

    async def redrive(self) -> Self:
        """Put it back into its queue where it is ``dead``."""
        return self.saw(await self._driver.run(self._steps.redrive(self.id)))

    async def delete(self) -> None:
        """Delete it with its texts and results."""
        await self._driver.run(self._steps.delete(self.id))
