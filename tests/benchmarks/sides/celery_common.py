"""What the two Celery sides share: app, client, and a model loaded before the first message."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready

from tests.benchmarks.sides.environment import mark_ready, redis_url, warm_classifier


def make_app() -> Celery:
    """Messages in Redis database 0, results in database 1, everything else at its default."""
    app = Celery("bench", broker=redis_url(0), backend=redis_url(1))
    app.conf.broker_connection_retry_on_startup = True
    return app


class WarmModel:
    """The model of this worker process; it is loaded and warm when the harness is told."""

    def __init__(self) -> None:
        """Hook into the worker's start."""
        self._classifier: Any = None
        worker_init.connect(self._load)
        worker_ready.connect(self._ready)

    def classify(self, texts: list[str]) -> list[list[float]]:
        """Score texts as one rectangle."""
        scores: list[list[float]] = self._classifier.classify(texts)
        return scores

    def _load(self, **_: Any) -> None:
        self._classifier = warm_classifier()

    def _ready(self, **_: Any) -> None:
        mark_ready()


class Client:
    """A producer of an app."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, task: str, text: str, priority: str) -> Any:
        """Publish one message; priorities are not used here."""
        return self._app.send_task(f"bench.{task}", args=[text])

    def wait(self, handle: Any, seconds: float) -> None:
        """Wait for a result as Celery's users do."""
        handle.get(timeout=seconds)
