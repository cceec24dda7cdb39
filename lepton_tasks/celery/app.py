"""The Celery app: JSON only, one queue per task and priority, the store as result backend."""

from __future__ import annotations

from collections.abc import Iterable

from celery import Celery
from kombu import Exchange, Queue

from lepton_tasks.celery.broker import broker_settings
from lepton_tasks.queues import UNACKED_KEY, Priority, queue_name, route_task
from lepton_tasks.settings import Settings
from lepton_tasks.transport.once import once_transport

BACKEND = "lepton_tasks.celery.backend:StoreBackend"
_SEND_SECONDS = 2.0


def make_app(settings: Settings, tasks: Iterable[str]) -> Celery:
    """Build an app for ``tasks``; nothing is connected yet.

    The unacked keys are our own: kombu's sweep of messages that were fetched and
    not acknowledged works on a whole Redis database, and with our short visibility
    timeout it would restore the running tasks of other Celery applications.

    Raises:
        ConfigError: the URL of Redis is wrong.
    """
    app = Celery(
        "lepton",
        backend=f"{BACKEND}+{settings.store_url}",
        set_as_current=False,
    )
    default = Exchange("", type="direct")
    app.conf.update(
        broker_settings(
            settings.redis_url,
            visibility_timeout=settings.visibility_timeout,
            unacked_key=UNACKED_KEY,
            unacked_index_key="lepton:unacked_index",
            unacked_mutex_key="lepton:unacked_mutex",
            unacked_mutex_expire=30,
            unacked_restore_interval=1,
            unacked_restore_throttle=1,
            queue_order_strategy="priority",
        ),
        accept_content=["json"],
        broker_connection_max_retries=None,  # a Redis that is away is waited for
        broker_connection_retry_on_startup=True,
        enable_utc=True,
        event_serializer="json",
        lepton_default_tenant=settings.default_tenant,
        result_accept_content=["json"],
        result_serializer="json",
        task_default_queue="lepton",
        task_protocol=2,
        task_queues=[
            Queue(queue_name(task, priority), default, routing_key=queue_name(task, priority))
            for priority in Priority
            for task in tasks
        ],
        task_routes=(route_task,),
        task_serializer="json",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
    )
    return app


def make_sending_app(settings: Settings) -> Celery:
    """Build an app that only sends what is owed: at once or later, and each message once.

    Raises:
        ConfigError: the URL of Redis is wrong.
    """
    app = make_app(settings, ())
    app.conf.update(
        broker_transport_options={
            **app.conf.broker_transport_options,
            "socket_connect_timeout": _SEND_SECONDS,
            "socket_timeout": _SEND_SECONDS,
        },
        broker_pool_limit=2,
        broker_transport=once_transport(app.conf.broker_url),
        task_publish_retry=False,
    )
    # Arguments are outputs. What their headers show of them, Flower and other workers' logs show.
    app.amqp.argsrepr_maxsize = app.amqp.kwargsrepr_maxsize = 0
    return app
