"""The webhook sender: claims due deliveries, sends them, records what came of each.

The store is the schedule. The sender owns what it has claimed for the length of
a lease; whatever becomes of this process, a delivery is due again after that.
So every delivery is sent at least once, always with the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from lepton_tasks.outage import Outage, sleep_until
from lepton_tasks.store.deliveries import Attempt, Delivery
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.client import Answer, WebhookClient
from lepton_tasks.webhooks.lanes import Lane, LaneLimits, Lanes, host_of
from lepton_tasks.webhooks.recorder import Recorder
from lepton_tasks.webhooks.schedule import retry_in
from lepton_tasks.webhooks.signing import signed_headers

logger = logging.getLogger(__name__)

RetryIn = Callable[[int, Answer], float | None]
"""Attempt number and its answer to the seconds until the next, None for none."""

_LEAST_PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """Bounds of one sender. Counts are deliveries, times seconds."""

    sending: int = 512
    """On the wire at once."""
    held: int = 2048
    """Claimed at once, those that wait for their turn included."""
    claim: int = 256
    """Claimed by one transaction."""
    poll: float = 1.0
    """Between two looks at the store, when no wake-up comes."""
    patience: float = 5.0
    """Wait for a turn, then the delivery goes back to the store."""
    lease_slack: float = 10.0
    """Lease beyond patience and the deadline of a request: time to record."""
    grace: float = 3.0
    """Time that a stop leaves to what is on the wire, and again to recording it."""
    lane: LaneLimits = field(default_factory=LaneLimits)
    """Of one endpoint."""


def scheduled(attempt: int, answer: Answer) -> float | None:
    """Seconds until the next attempt, by the ordinary schedule."""
    return retry_in(
        attempt,
        answer.status,
        answer.retry_after,
        random=random.random(),  # noqa: S311
        now=time.time(),
    )


class Sender:
    """Sends all tenants' deliveries until it is stopped. Any number may share a store."""

    def __init__(
        self,
        store: Store,
        client: WebhookClient,
        deadline: float,
        *,
        limits: SenderLimits | None = None,
        retry: RetryIn = scheduled,
    ) -> None:
        """``deadline`` is the seconds that ``client`` may spend on one request."""
        self._store = store
        self._client = client
        self._limits = limits or SenderLimits()
        self._lease = self._limits.patience + deadline + self._limits.lease_slack
        self._retry = retry
        self._lanes = Lanes(self._limits.lane)
        self._slots = asyncio.Semaphore(self._limits.sending)
        self._threads = ThreadPoolExecutor(2, "deliveries")
        self._recorder = Recorder(store.deliveries, self._threads)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    def stop(self) -> None:
        """Let :meth:`run` end: nothing more is claimed, what is on the wire gets its grace."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Send until stopped. An absent database is waited for."""
        recording = asyncio.create_task(self._recorder.run())
        outage = Outage("webhook sender")
        try:
            while not self._stopping:
                self._wake.clear()
                await sleep_until(self._wake, await outage.attempt_async(self._claim))
        finally:
            await self._close(recording)

    async def _claim(self) -> float:
        """Claim and start what is due; returns the seconds until it is worth asking again."""
        room = min(self._limits.claim, self._limits.held - len(self._tasks))
        if room <= 0:
            return self._limits.poll
        loop = asyncio.get_running_loop()
        # Asked before it is claimed: a claim takes the store's write lock, and whoever ends
        # jobs wakes this sender whether they owe deliveries or not.
        due = await loop.run_in_executor(self._threads, self._store.deliveries.lanes)
        shares = self._lanes.shares(due, room, loop.time())
        claimed = await loop.run_in_executor(self._threads, self._take, shares) if shares else []
        counts = Counter(delivery.lane for delivery in claimed)
        for delivery in claimed:
            lane = self._lanes.enter(delivery.lane)
            lane.limit(delivery.rate_limit or 0.0)
            task = asyncio.create_task(self._deliver(delivery, lane))
            self._tasks.add(task)
            self._waiting[delivery.id] = task
            task.add_done_callback(self._tasks.discard)
        for name, count in counts.items():
            self._lanes.claimed(name, filled=count == shares[name])
        if any(counts[name] == share for name, share in shares.items()):
            return 0.0
        wait = self._lanes.next_look(due, loop.time())
        return min(
            self._limits.poll, max(_LEAST_PAUSE, self._limits.poll if wait is None else wait)
        )

    def _take(self, shares: dict[str, int]) -> list[Delivery]:
        return self._store.deliveries.claim_due(sum(shares.values()), self._lease, shares)

    async def _deliver(self, delivery: Delivery, lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._limits.patience) as patience,
                lane.turn(),
                self._slots,
            ):
                if not lane.breaker.permits(loop.time()):
                    self._release(delivery, lane)
                    return
                patience.reschedule(None)
                del self._waiting[delivery.id]
                self._recorder.made(await self._send(delivery, lane))
        except TimeoutError:
            lane.stuck()
            self._release(delivery, lane)
        except asyncio.CancelledError:
            if delivery.id in self._waiting:
                self._release(delivery, lane)
            raise
        finally:
            self._waiting.pop(delivery.id, None)
            opened = self._lanes.leave(delivery.lane, loop.time())
            if opened or len(self._tasks) == self._limits.held:
                self._wake.set()

    def _release(self, delivery: Delivery, lane: Lane) -> None:
        """Give a delivery back, due again when its lane may have a place for it."""
        now = asyncio.get_running_loop().time()
        opens_at = lane.breaker.opens_at(now) or now
        self._recorder.released(delivery, max(opens_at - now, self._limits.patience))

    async def _send(self, delivery: Delivery, lane: Lane) -> Attempt:
        clock = asyncio.get_running_loop().time
        at = datetime.now(UTC)
        signed = signed_headers(delivery.secrets, delivery.event_id, delivery.body, at)
        headers = {**delivery.headers, **signed}
        begun, well, probe = clock(), None, lane.breaker.begin(clock())
        try:
            answer = await self._client.post(delivery.url, headers, delivery.body)
            well = answer.alive
        finally:
            lane.breaker.ended(well=well, probe=probe, now=clock())
        attempt = Attempt(
            delivery=delivery,
            seconds=clock() - begun,
            status=answer.status,
            error=answer.error,
            response=answer.body or None,
            delivered=answer.error is None,
            retry_in=None if answer.error is None else self._retry(delivery.attempt, answer),
        )
        if not attempt.delivered:
            _log_failure(attempt)
        return attempt

    async def _close(self, recording: asyncio.Task[None]) -> None:
        await asyncio.sleep(0)  # a task that is cancelled before it began gives nothing back
        for task in list(self._waiting.values()):
            task.cancel()
        if self._tasks:
            _, abandoned = await asyncio.wait(self._tasks, timeout=self._limits.grace)
            for task in abandoned:
                task.cancel()
            if abandoned:
                logger.warning("abandoned %d webhooks on the wire", len(abandoned))
                await asyncio.wait(abandoned)
        self._recorder.close()
        _, unwritten = await asyncio.wait([recording], timeout=self._limits.grace)
        for writer in unwritten:
            writer.cancel()
            logger.warning("stopped with webhook attempts that could not be recorded")
        self._threads.shutdown(wait=False, cancel_futures=True)


def _log_failure(attempt: Attempt) -> None:
    delivery = attempt.delivery
    follows = (
        "no further attempt" if attempt.retry_in is None else f"again in {attempt.retry_in:.0f} s"
    )
    logger.info(
        "webhook %s to %s, attempt %d: %s; %s",
        delivery.id,
        host_of(delivery.url),
        delivery.attempt,
        attempt.error,
        follows,
    )
