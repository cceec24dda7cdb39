"""What Celery knows of an NLP task: its name, its rate limit, and our strategy."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.utils.time import rate
from celery.worker.request import Request

from lepton_tasks.broker.messages import OWN_HEADER
from lepton_tasks.errors import ConfigError
from lepton_tasks.queues import message_name


class MessageRequest(Request):  # type: ignore[misc] # Celery has no types
    """A message of ours or of a plain producer, in Celery's eyes."""

    def _announce_revoked(
        self, reason: str, terminated: bool, signum: int | None, expired: bool
    ) -> None:
        """Tell of a revoked message; a plain producer's is acknowledged once it has a row.

        Celery would acknowledge it now, and nobody would hear what became of it.
        """
        if OWN_HEADER in self.request_dict:
            super()._announce_revoked(reason, terminated, signum, expired)
            return
        self._already_revoked = True
        self.send_event("task-revoked", terminated=terminated, signum=signum, expired=expired)


class NlpTask(Task):  # type: ignore[misc] # Celery has no types
    """A task that Celery routes and counts, and that the strategy runs."""

    Strategy = "workers.strategy:strategy"
    Request = "workers.message_task:MessageRequest"
    ignore_result = True

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to run without the strategy.

        Raises:
            RuntimeError: always; eager mode and foreign pools end here.
        """
        raise RuntimeError("lepton tasks run in workers started from workers.app")


def message_task(name: str, rate_limit: str | None) -> NlpTask:
    """Make Celery's task of an NLP task of that name; the limit is as Celery writes it.

    Raises:
        ConfigError: the limit cannot be read.
    """
    try:
        rate(rate_limit)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"the task {name} has the rate_limit {rate_limit!r}; write it like 10/s, 100/m or 5/h"
        ) from error
    attributes = {"name": message_name(name), "rate_limit": rate_limit}
    made: NlpTask = type(f"{name.title()}Message", (NlpTask,), attributes)()
    return made
