"""Celery's entry point for workers: ``celery -A workers.app worker --pool solo -Q …``.

The one module that does its work at import, because Celery finds its app so.
"""

from __future__ import annotations

import sys
from typing import Final

from celery import Celery

from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import LeptonError
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.settings import Settings, load_settings
from lepton_tasks.transport.redis import bulk_url
from workers.bootsteps import IntakeStep, ModelStep
from workers.message_task import message_task

_SOCKET_SECONDS: Final = 2.0
"""Longest wait for a reply: on a link that died in silence the event loop meets several of them."""
_HEALTH_SECONDS: Final = 3
"""A consumer's link on which nothing was heard for a second more is made anew."""


def make_worker_app(settings: Settings) -> Celery:
    """Build the worker's Celery app with all known tasks registered.

    Raises:
        ConfigError: a task's rate limit cannot be read.
    """
    tasks = find_tasks()
    app = make_app(settings, tasks)
    for name, task in tasks.items():
        app.register_task(message_task(name, task.rate_limit))
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


def _app() -> Celery:
    try:
        return make_worker_app(running_settings(load_settings()))
    except LeptonError as error:
        sys.exit(f"error: {error}")  # Celery would bury it in a traceback


app = _app()
