"""dramatiq on Redis, results in Redis."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from tests.benchmarks.sides.environment import mark_ready, redis_url


class Ready(dramatiq.Middleware):  # type: ignore[misc] # not installed where types are checked
    """Tells the harness when the worker has booted."""

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        """Write the mark."""
        mark_ready()


broker = RedisBroker(url=redis_url(0))
broker.add_middleware(Results(backend=RedisBackend(url=redis_url(1))))
broker.add_middleware(Ready())
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def noop(text: str) -> int:
    """Count characters."""
    return len(text)


class Client:
    """A producer of this broker."""

    def send(self, task: str, text: str, priority: str) -> Any:
        """Publish one message."""
        return noop.send(text)

    def wait(self, handle: Any, seconds: float) -> None:
        """Wait for a result."""
        handle.get_result(block=True, timeout=int(seconds * 1e3))


def connect() -> Client:
    """Make a client."""
    return Client()
