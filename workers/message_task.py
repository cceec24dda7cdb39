"""What Celery knows of an NLP task: its name, its rate limit, and our strategy."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.utils.time import rate

from lepton_tasks.errors import ConfigError
from lepton_tasks.queues import message_name


class NlpTask(Task):  # type: ignore[misc] # Celery has no types
    """A task that Celery routes and counts, and that the strategy runs."""

    Strategy = "workers.strategy:strategy"
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
