"""Somebody's own Celery application beside ours: stock Celery with our result backend.

``celery -A tests.support.users_app worker`` runs it. Each call notes itself in a Redis list.
"""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import Celery

CALLS = "users:calls"
BROKER, BACKEND = os.environ["USERS_BROKER"], os.environ["USERS_BACKEND"]

app = Celery("users", broker=BROKER, backend=BACKEND, set_as_current=False)
app.conf.update(
    task_default_queue="users",
    task_routes=("lepton_tasks.queues.route_task",),
    worker_hijack_root_logger=False,
)


def note(*what: Any) -> None:
    """Say that a task was called."""
    with redis.Redis.from_url(BROKER) as client:
        client.rpush(CALLS, repr(what))


@app.task(name="users.total")
def total(outputs: list[Any], plus: int = 0) -> int:
    """Add up what the task that counts characters returned."""
    note("total", outputs, plus)
    counts: list[int] = [one["characters"] if isinstance(one, dict) else one for one in outputs]
    return plus + sum(counts)


@app.task(name="users.keep")
def keep(value: Any) -> Any:
    """Note a value and give it back."""
    note("keep", value)
    return value


@app.task(name="users.say")
def say(output: dict[str, int]) -> str:
    """A text as long as the count that came in, and one more."""
    note("say", output)
    return "字" * (output["characters"] + 1)


@app.task(name="users.wrap")
def wrap(value: Any) -> dict[str, Any]:
    """Put a value deeper."""
    return {"made": {"text": value}}


@app.task(name="users.fail")
def fail(*_: Any) -> None:
    """Fail."""
    raise ValueError("no luck")


@app.task(name="users.failed")
def failed(task_id: str) -> str:
    """Note what has failed."""
    note("failed", task_id)
    return task_id
