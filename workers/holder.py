"""From claim to held job: its task and engine, its options checked, hopeless inputs answered."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from pydantic import ValidationError

from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Engine
from workers.held import HeldJob, HeldJobs, Input
from workers.loading import Loading
from workers.outcomes import CRASHED, WRONG_OPTIONS, Failed
from workers.preparer import Failures
from workers.refusal import Refused
from workers.text_free import describe

logger = logging.getLogger(__name__)


class Models(Protocol):
    """The engines of this worker."""

    @property
    def tasks(self) -> Mapping[str, AnyTask]:
        """The tasks that this worker serves, by name."""
        ...

    def engine(self, task: str, model: str | None = None) -> Engine | Loading | Refused:
        """Return the engine for a job at once, or what stands in its way."""
        ...

    def default(self, task: str) -> Engine:
        """Return the engine of the task's default model."""
        ...

    def is_demo(self, model: str) -> bool:
        """Whether a model only demonstrates its task."""
        ...


class Next(Protocol):
    """Takes held jobs on their way to be encoded."""

    def add(self, jobs: Sequence[HeldJob]) -> None:
        """Take ``jobs``."""
        ...


class Holder:
    """Makes held jobs of claims, whichever way they came, and hands them on to be encoded.

    A job that names a model which is not in memory waits here until it is loaded.
    """

    def __init__(
        self,
        models: Models,
        held: HeldJobs,
        following: Next,
        failures: Failures,
    ) -> None:
        self._models = models
        self._parked: dict[HeldJob, None] = {}
        self._held = held
        self._next = following
        self._failures = failures
        self._defaults: dict[str, Any] = {}

    def serves(self, task: str) -> bool:
        """Whether jobs of that task can be held here."""
        return task in self._models.tasks

    def __len__(self) -> int:
        """Inputs of the jobs that wait for a model."""
        return sum(len(job.outputs) for job in list(self._parked))

    def hold(self, claims: Sequence[tuple[ClaimedJob, Any]]) -> None:
        """Hold claimed jobs of served tasks, each with its Celery request."""
        self._begin([job for one in claims if (job := self._make(*one)) is not None])

    def close(self) -> list[HeldJob]:
        """Return the jobs that wait for a model, to be given back."""
        parked, self._parked = list(self._parked), {}
        return parked

    def _begin(self, jobs: Sequence[HeldJob]) -> None:
        self._held.add(jobs)
        for job in jobs:
            job.demo = self._models.is_demo(job.engine.name)
            self._give_up(job)
        self._next.add(jobs)

    def _make(self, claim: ClaimedJob, request: Any) -> HeldJob | None:
        """Make a held job with its engine; None where it has to wait for one or fails here."""
        task = self._models.tasks[claim.task]
        job = HeldJob(claim, task, self._models.default(claim.task), None, request)
        try:
            job.options = self._options(task, claim.payload.options)
        except ValidationError as error:
            logger.error("job %s has wrong options: %s", claim.id, describe(error))
            self._fail(job, WRONG_OPTIONS)
            return None
        found = self._models.engine(claim.task, task.model_of(job.options))
        if isinstance(found, Refused):
            self._fail(job, Failed(found.code, found.message, found.retryable))
            return None
        if isinstance(found, Loading):
            self._parked[job] = None
            found.then(partial(self._unpark, job))
            return None
        job.engine = found
        return job

    def _unpark(self, job: HeldJob, found: Engine | Refused) -> None:
        if job not in self._parked:
            return  # given back meanwhile
        del self._parked[job]
        if isinstance(found, Refused):
            self._fail(job, Failed(found.code, found.message, found.retryable))
            return
        job.engine = found
        self._begin([job])

    def _fail(self, job: HeldJob, why: Failed) -> None:
        inputs = range(len(job.claim.payload.inputs))
        self._failures.fail([Input(job, place) for place in inputs], why)

    def _give_up(self, job: HeldJob) -> None:
        """Answer those inputs of a suspect that crashed too often."""
        left = set(job.places())
        hopeless = [place for place in range(len(job.outputs)) if place not in left]
        if hopeless:
            self._failures.fail([Input(job, place) for place in hopeless], CRASHED)

    def _options(self, task: AnyTask, given: Mapping[str, Any]) -> Any:
        if given:
            return task.options_model.model_validate(given)
        if task.name not in self._defaults:
            self._defaults[task.name] = task.options_model.model_validate({})
        return self._defaults[task.name]
