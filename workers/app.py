"""Celery's entry point for workers: ``celery -A workers.app worker --pool solo -Q …``.

The one module that does its work at import, because Celery finds its app so.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery, Task

from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.queues import message_name
from lepton_tasks.settings import Settings, load_settings
from lepton_tasks.transport.redis import bulk_url
from workers.bootsteps import IntakeStep, ModelStep

_SOCKET_SECONDS: Final = 2.0
"""Longest wait for a reply: on a link that died in silence the event loop meets several of them."""
_HEALTH_SECONDS: Final = 3
"""A consumer's link on which nothing was heard for a second more is made anew."""


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


def make_worker_app(settings: Settings) -> Celery:
    """Build the worker's Celery app with all known tasks registered."""
    names = list(find_tasks())
    app = make_app(settings, names)
    for name in names:
        app.register_task(
            type(f"{name.title()}Message", (NlpTask,), {"name": message_name(name)})()
        )
    app.conf.update(
        broker_read_url=bulk_url(app.conf.broker_url),  # producers and events stay on stock kombu
        broker_transport_options={
            **app.conf.broker_transport_options,
            "health_check_interval": _HEALTH_SECONDS,
            "socket_connect_timeout": _SOCKET_SECONDS,
            "socket_timeout": _SOCKET_SECONDS,
        },
        worker_consumer="workers.consumer:TextFreeConsumer",
        worker_prefetch_multiplier=128,
        worker_pool="solo",
        worker_concurrency=1,
        worker_enable_prefetch_count_reduction=False,
    )
    app.lepton_settings = settings
    app.steps["worker"].add(ModelStep)
    app.steps["consumer"].add(IntakeStep)
    return app


app = make_worker_app(running_settings(load_settings()))
