"""A webhook sender on a thread, and deliveries for it to send."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import select, update

from lepton_tasks.ids import new_id
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.database import now
from lepton_tasks.store.delivery_lanes import IS_OPEN
from lepton_tasks.store.settle import deliver
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import AttemptRow, DeliveryRow
from lepton_tasks.webhooks.client import Answer, WebhookClient
from lepton_tasks.webhooks.guard import EgressGuard
from lepton_tasks.webhooks.sender import Sender, SenderLimits

attempts = AttemptRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

PATIENCE_SECONDS = 30.0
QUICK = SenderLimits(poll=0.05)


def owe(store: Store, url: str, tenant: str = "acme", endpoint_id: str | None = None) -> str:
    """Create a delivery that is due now; returns its id."""
    event_id = new_id("evt")
    with store.database.write() as connection:
        deliver(
            connection,
            [
                {
                    "id": event_id,
                    "event_id": event_id,
                    "tenant": tenant,
                    "endpoint_id": endpoint_id,
                    "url": url,
                    "event_type": "job.succeeded",
                    "body": f'{{"id":"{event_id}","text":"你好"}}'.encode(),
                    "state": DeliveryState.PENDING,
                    "attempt": 0,
                    "fence": 0,
                }
            ],
        )
    return event_id


def state_of(store: Store, delivery_id: str) -> str:
    """State of a delivery."""
    with store.database.read() as connection:
        query = select(deliveries.c.state).where(deliveries.c.id == delivery_id)
        return str(connection.execute(query).scalar_one())


def fence_of(store: Store, delivery_id: str) -> int:
    """How often a delivery was claimed."""
    with store.database.read() as connection:
        query = select(deliveries.c.fence).where(deliveries.c.id == delivery_id)
        return int(connection.execute(query).scalar_one())


def make_due(store: Store) -> None:
    """Let all that waits, for its next attempt or for a lease to end, have waited long enough."""
    with store.database.write() as connection:
        connection.execute(update(deliveries).where(IS_OPEN).values(next_at=now()))


def attempts_of(store: Store, delivery_id: str) -> list[tuple[int, int | None, str | None]]:
    """Number, status and error of each recorded attempt."""
    with store.database.read() as connection:
        rows = connection.execute(
            select(attempts.c.attempt, attempts.c.status, attempts.c.error)
            .where(attempts.c.delivery_id == delivery_id)
            .order_by(attempts.c.attempt)
        ).all()
    return [(row[0], row[1], row[2]) for row in rows]


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is so; fail when it never is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def retry_soon(attempt: int, answer: Answer) -> float | None:
    """A schedule for tests: again at once, three attempts in all."""
    return 0.05 if attempt < 3 and answer.status != 410 else None


class RunningSender:
    """What a test may ask of the sender's thread."""

    def __init__(self, sender: Sender, loop: asyncio.AbstractEventLoop) -> None:
        self._sender = sender
        self._loop = loop

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._sender.wake)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._sender.stop)


@contextmanager
def running_sender(
    store: Store,
    *,
    deadline: float = 10.0,
    limits: SenderLimits = QUICK,
    retry: Callable[[int, Answer], float | None] = retry_soon,
    allow_private: bool = True,
) -> Iterator[RunningSender]:
    """A sender that runs while the block does, and stops cleanly after."""
    ready = threading.Event()
    running: list[RunningSender] = []

    async def run() -> None:
        async with WebhookClient(EgressGuard(allow_private=allow_private), deadline, 64) as client:
            sender = Sender(store, client, deadline, limits=limits, retry=retry)
            running.append(RunningSender(sender, asyncio.get_running_loop()))
            ready.set()
            await sender.run()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    try:
        yield running[0]
    finally:
        running[0].stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
