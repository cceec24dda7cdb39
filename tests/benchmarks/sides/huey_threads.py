"""huey on Redis, results in Redis."""

from __future__ import annotations

from typing import Any

from huey import RedisHuey

from tests.benchmarks.sides.environment import mark_ready, redis_url

huey = RedisHuey("bench", url=redis_url(0))


@huey.on_startup()
def ready() -> None:
    """Tell the harness; each worker thread calls this."""
    mark_ready()


@huey.task()
def noop(text: str) -> int:
    """Count characters."""
    return len(text)


class Client:
    """A producer of this queue."""

    def send(self, task: str, text: str, priority: str) -> Any:
        """Enqueue one task."""
        return noop(text)

    def wait(self, handle: Any, seconds: float) -> None:
        """Wait for a result."""
        handle(blocking=True, timeout=seconds)


def connect() -> Client:
    """Make a client."""
    return Client()
