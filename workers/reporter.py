"""The worker's word to Celery: acknowledgements, counters and events, on the event loop.

kombu's channel and Celery's state belong to the main thread; the other threads
hand their calls over. Events name tasks and runtimes and never carry a text. While the
broker is away nobody could hear them, and nothing is kept for it but what belongs to the
few messages that came before.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from celery.worker import state

from lepton_tasks.queues import message_name
from workers.held import HeldJob, Item

logger = logging.getLogger(__name__)


_EVENTS_AT_ONCE: Final = 1000
_FLUSH_SECONDS: Final = 0.05
"""Most events of one publication, and how long they may wait for others. Celery's own 24, and
a publication at each turn of the event loop, cost more than all else a job did there."""


_OFFLINE_EVENTS: Final = 100
"""Publications that Celery keeps where the broker does not take them; older ones are dropped."""

_ENDED: Final[Mapping[str | None, tuple[str, Mapping[str, Any]]]] = {
    None: ("task-succeeded", {"result": ""}),
    "failed": ("task-failed", {"exception": "failed", "traceback": ""}),
    "retried": ("task-retried", {"exception": "failed for now", "traceback": ""}),
    "cancelled": ("task-revoked", {"terminated": False, "signum": None, "expired": False}),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's run ended, for Celery: ``runtime`` in seconds.

    ``error`` is None for a success, else ``failed``, ``retried``, ``cancelled``, or
    ``lost`` where another worker has the job by now, which tells of it.
    """

    request: Any
    runtime: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WithoutMessage:
    """Stands where Celery wants a request for a job that no message brought.

    Celery counts requests and acknowledges messages; here there is neither, but whoever
    watches the events should see how the job goes on.
    """

    id: str
    name: str


class Reporter:
    """Bridges the worker's threads to Celery's consumer."""

    def __init__(self, is_away: Callable[[], bool]) -> None:
        """``is_away`` tells whether the broker is."""
        self._is_away = is_away
        self._consumer: Any = None
        self._direct = False
        self._flush_due = False
        self._due: deque[Callable[[], None]] = deque()

    def attach(self, consumer: Any) -> None:
        """Use a (re)connected consumer from now on."""
        dispatcher = consumer.event_dispatcher
        dispatcher.buffer_limit = _EVENTS_AT_ONCE
        kept = dispatcher._outbound_buffer  # without a bound as Celery makes it
        dispatcher._outbound_buffer = deque(kept, _OFFLINE_EVENTS)
        if consumer.hub is not None:  # else Celery buffers nothing
            dispatcher.on_send_buffered = self._flush_soon
        self._consumer = consumer
        self._flush_due = False

    def loop_has_stopped(self) -> None:
        """Call directly from now on: no loop runs. Events wait for :meth:`flush`."""
        self._direct = True

    def acknowledge(self, requests: Sequence[Any], dropped: Sequence[Any]) -> None:
        """Acknowledge messages whose claim is committed; ``dropped`` ones have no run."""

        def work() -> None:
            for request in requests:
                # Celery's way, less a turn of the event loop that we are on already.
                request.message.ack_log_error(logger, request.connection_errors)
                request.acknowledged = True
            for request in dropped:
                state.task_ready(request)

        if not (self._direct and self._is_away()):  # else the broker offers them again
            self._on_loop(work)

    def without_message(self, job_id: str, task: str) -> WithoutMessage:
        """Announce a job that was taken without a message; returns what stands for its request."""
        request = WithoutMessage(job_id, message_name(task))
        fields = {"args": "", "kwargs": "", "retries": 0}
        self._announce(lambda: self._send(request, "task-received", **fields))
        return request

    def begin(self, items: Sequence[Item]) -> None:
        """Note that ``items`` are on the device from now on; announce jobs that were not yet."""
        now = time.monotonic()
        fresh: dict[HeldJob, None] = {}
        for item in items:
            if item.job.started_at is None:
                item.job.started_at = now
                fresh[item.job] = None
        if fresh:
            self._started([job.request for job in fresh])
        else:
            self._announce(_nothing)  # the window has room again: the loop shall look

    def _started(self, requests: Sequence[Any]) -> None:
        moment = time.time()

        def work() -> None:
            for request in requests:
                if not isinstance(request, WithoutMessage):
                    request.time_start = moment
                    request.worker_pid = os.getpid()
                    state.task_accepted(request)
                self._send(request, "task-started")

        self._hand_over(work, requests)

    def ended(self, jobs: Sequence[Ended]) -> None:
        """Announce results that are committed."""

        def work() -> None:
            for job in jobs:
                if not isinstance(job.request, WithoutMessage):
                    state.task_ready(job.request, successful=job.error is None)
                if job.error != "lost":
                    kind, fields = _ENDED[job.error]
                    self._send(job.request, kind, runtime=job.runtime, **fields)

        self._hand_over(work, [job.request for job in jobs])

    def flush(self) -> None:
        """Send the events that wait; on the event loop, or where none runs."""
        self._flush_due = False
        if self._consumer is not None and not self._is_away():
            _guarded(self._consumer.event_dispatcher.flush)

    def _send(self, request: Any, kind: str, **fields: Any) -> None:
        if not isinstance(request, WithoutMessage):
            request.send_event(kind, name=request.name, **fields)
        elif self._consumer.event_dispatcher.enabled:
            self._consumer.event_dispatcher.send(kind, uuid=request.id, name=request.name, **fields)

    def _flush_soon(self) -> None:
        if not self._flush_due and not self._direct:
            self._flush_due = True
            self._consumer.hub.call_later(_FLUSH_SECONDS, self.flush)

    def _hand_over(self, work: Callable[[], None], requests: Sequence[Any]) -> None:
        """Have work done that Celery's counters need if one of ``requests`` is Celery's."""
        if all(isinstance(request, WithoutMessage) for request in requests):
            self._announce(work)
        else:
            self._on_loop(work)

    def _announce(self, work: Callable[[], None]) -> None:
        """Have work done that only tells others, unless nobody could hear it."""
        if self._consumer is not None and not self._is_away():
            self._on_loop(work)

    def _on_loop(self, work: Callable[[], None]) -> None:
        self._due.append(work)
        hub = getattr(self._consumer, "hub", None)
        if self._direct or hub is None:
            self._run_due()
        else:
            hub.call_soon(self._run_due)  # which keeps no order among what it is given

    def _run_due(self) -> None:
        with suppress(IndexError):
            while True:
                _guarded(self._due.popleft())


def _nothing() -> None:
    """Tick the loop."""


def _guarded(work: Callable[[], None]) -> None:
    # A lost connection here costs an event or an acknowledgement, both of which
    # claiming repairs; it must not cost the thread.
    try:
        work()
    except Exception:
        logger.warning("Celery could not be told of a job's progress", exc_info=True)
