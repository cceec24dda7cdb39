"""Plain kombu producers and consumers, on kombu's transport or on ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.asynchronous import Hub

from lepton_tasks.transport.redis import bulk_url

KEYS: Final = {
    "unacked_key": "lepton:unacked",
    "unacked_index_key": "lepton:unacked_index",
    "unacked_mutex_key": "lepton:unacked_mutex",
}
"""The unacked keys of the project's Celery app."""

PATIENCE: Final = 20.0


def stock(url: str, **options: Any) -> Connection:
    """A connection on kombu's own transport."""
    return Connection(url, transport_options={**KEYS, **options})


def bulk(url: str, **options: Any) -> Connection:
    """A connection on our transport."""
    return Connection(bulk_url(url), transport_options={**KEYS, **options})


def default_queue(name: str) -> Queue:
    """A queue on the default exchange."""
    return Queue(name, Exchange(""), routing_key=name)


def publish(connection: Connection, queue: str, *bodies: Any, **options: Any) -> None:
    """Publish on the default exchange."""
    producer = Producer(connection)
    for body in bodies:
        producer.publish(body, exchange="", routing_key=queue, serializer="json", **options)


class Received:
    """Consumes ``queues``, keeping bodies and messages; acknowledges unless told not to."""

    def __init__(
        self,
        connection: Connection,
        queues: Sequence[str],
        *,
        ack: bool = True,
        prefetch: int = 0,
        on_message: Callable[[Any], None] = lambda body: None,
    ) -> None:
        self.bodies: list[Any] = []
        self.messages: list[Any] = []
        self._connection = connection
        self._ack = ack
        self._on_message = on_message
        self.channel = connection.channel()
        self.consumer = Consumer(
            self.channel,
            [default_queue(name) for name in queues],
            callbacks=[self._take],
            accept=["json"],
            prefetch_count=prefetch,
        )
        self.consumer.consume()

    def _take(self, body: Any, message: Any) -> None:
        self.bodies.append(body)
        self.messages.append(message)
        if self._ack:
            message.ack()
        self._on_message(body)

    def until(self, done: Callable[[], bool]) -> None:
        """Drain until ``done`` holds.

        Raises:
            AssertionError: it does not in good time.
        """
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"only {len(self.bodies)} messages came"
            self.once()

    def until_count(self, count: int) -> None:
        """Drain until ``count`` messages have come."""
        self.until(lambda: len(self.bodies) >= count)

    def once(self, timeout: float = 0.1) -> None:
        """Drain one fetch, or nothing."""
        try:
            self._connection.drain_events(timeout=timeout)
        except TimeoutError:
            return


@contextmanager
def receiving(connection: Connection, *queues: str, **options: Any) -> Iterator[Received]:
    """Consume within the block; the channel is closed after it."""
    received = Received(connection, queues, **options)
    try:
        yield received
    finally:
        received.channel.close()


def run_loop(hub: Hub, until: Callable[[], bool]) -> None:
    """Turn an event loop until ``until`` holds.

    Raises:
        AssertionError: it does not in good time.
    """
    loop = hub.create_loop()
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end
        next(loop)
