"""Our two steps in Celery's start-up: a warm model before the consumer, its fetching bounded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.worker import state

from lepton_tasks.broker.connection import check_redis, connect
from lepton_tasks.errors import BrokerAway, LeptonError
from lepton_tasks.logs import quiet_libraries
from lepton_tasks.nlp.registry import AnyTask, check_apart, find_tasks
from lepton_tasks.queues import split_queue_name
from lepton_tasks.requests import Admission
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from workers.longruns.engine import LongRunModels
from workers.progress import Progress, open_progress
from workers.rates import RateLimits
from workers.runtime import Runtime

if TYPE_CHECKING:
    from workers.pool import ModelPool

logger = logging.getLogger(__name__)


class ModelStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Loads and warms the models of the queues this worker consumes.

    Celery starts its consumer last, so no message is fetched before the model is warm;
    an error here ends the worker with its reason.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Run before the consumer starts; an error of ours is one line and exit code 1."""
        quiet_libraries()  # Celery has set the root logger up by now
        try:
            self._start(worker)
        except LeptonError as error:
            logger.critical("error: %s", error)
            raise SystemExit(1) from None

    def _start(self, worker: Any) -> None:
        settings: Settings = worker.app.lepton_settings
        # Both before the seconds that a model takes.
        worker.lepton_broker_checked = _check_broker(settings)
        store = open_store(settings)
        known = find_tasks()
        wanted = {split_queue_name(queue)[0] for queue in worker.app.amqp.queues.consume_from}
        progress = open_progress()
        tasks = {name: known[name] for name in sorted(wanted & set(known))}
        models, settings = _models(tasks, settings, progress)
        models.load_defaults()
        queues = worker.app.amqp.queues
        runtime = Runtime(
            settings,
            store,
            worker.hostname,
            models,
            progress,
            lambda: [split_queue_name(queue) for queue in list(queues.consume_from)],
            lambda: getattr(worker.consumer, "limits", None),
        )
        worker.lepton_admission = Admission(known, settings.max_items_per_job)
        worker.lepton_runtime = runtime
        if not worker.lepton_broker_checked:
            worker.consumer.limits = RateLimits(worker.consumer)
            runtime.broker.missed()
            runtime.start()

    def info(self, worker: Any) -> dict[str, Any]:
        """What ``inspect stats`` shows beside Celery's own: models, their bytes, their versions."""
        runtime: Runtime | None = getattr(worker, "lepton_runtime", None)
        if runtime is None:
            return {}
        return {"models": runtime.models.memory(), "versions": runtime.models.versions()}

    def stop(self, worker: Any) -> None:
        """Drain, where the consumer's stop has not done so."""
        runtime: Runtime | None = getattr(worker, "lepton_runtime", None)
        if runtime is not None:
            runtime.drain()
            runtime.close()


def _models(
    tasks: Mapping[str, AnyTask], settings: Settings, progress: Progress
) -> tuple[ModelPool | LongRunModels, Settings]:
    """What serves ``tasks``, and the settings that go with it.

    Raises:
        ConfigError: tasks of both kinds are to be served.
    """
    long = sorted(name for name, task in tasks.items() if not task.interactive)
    if not long:
        from workers.pool import ModelPool  # imports torch

        return ModelPool(tasks, settings, progress.loading), settings
    check_apart(tasks, long)
    # One item at a time, and no other is taken from workers that are free.
    return LongRunModels(tasks), settings.model_copy(update={"window_items": 1})


def _check_broker(settings: Settings) -> bool:
    """Look at Redis; False while it is away, which a worker lives through.

    Raises:
        BrokerUnavailable: it is there and would lose messages, or refuses us.
    """
    with connect(settings.redis_url, 5.0) as client:
        try:
            check_redis(client)
        except BrokerAway as error:
            logger.warning("%s Until it answers, jobs are taken from the store.", error)
            return False
    return True


class IntakeStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Joins the runtime to each (re)connected consumer and fetches only into free room."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """Run whenever Celery has connected to the broker; the first time starts the work."""
        worker = consumer.controller
        if not worker.lepton_broker_checked:
            worker.lepton_broker_checked = _check_broker(worker.app.lepton_settings)
        runtime: Runtime = worker.lepton_runtime
        runtime.attach(consumer)
        consumer.connection.transport.cycle.watch = runtime.broker
        channel = consumer.task_consumer.channel
        channel.fetch_room = runtime.room
        channel.fetch_urgent_room = runtime.urgent_room
        consumer.limits = RateLimits(consumer)
        channel.fetch_allowances = consumer.limits.allowances
        # After a reconnect the intake still holds what the old channel fetched, and
        # acknowledges it; restoring it as well would only make duplicates.
        channel.do_restore = False

    def stop(self, consumer: Any) -> None:
        """Drain while events can still be sent; a mere reconnect drains nothing."""
        if state.should_stop is not None or state.should_terminate is not None:
            consumer.controller.lepton_runtime.drain()
            if consumer.task_consumer is not None:
                consumer.task_consumer.channel.do_restore = True  # what was never claimed
