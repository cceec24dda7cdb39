"""The worker's word to Celery: acknowledgements, counters and events, on the event loop.

kombu's channel and Celery's state belong to the main thread; the other threads
hand their calls over. Events name tasks and runtimes and never carry a text.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery.worker import state

logger = logging.getLogger(__name__)


_EVENTS_AT_ONCE: Final = 1000
"""Events of one publication. Celery sends what is buffered at each turn of the event loop;
its own limit of 24 cost more than all else a job did there."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's run ended, for Celery: ``error`` is a code, ``runtime`` seconds."""

    request: Any
    runtime: float
    error: str | None = None


class Reporter:
    """Bridges the worker's threads to Celery's consumer."""

    def __init__(self) -> None:
        self._consumer: Any = None
        self._direct = False

    def attach(self, consumer: Any) -> None:
        """Use a (re)connected consumer from now on."""
        consumer.event_dispatcher.buffer_limit = _EVENTS_AT_ONCE
        self._consumer = consumer

    def loop_has_stopped(self) -> None:
        """Call directly from now on: the caller is the main thread and no loop runs."""
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

        self._on_loop(work)

    def started(self, requests: Sequence[Any]) -> None:
        """Announce that jobs are on the device now."""
        moment = time.time()

        def work() -> None:
            for request in requests:
                request.time_start = moment
                request.worker_pid = os.getpid()
                state.task_accepted(request)
                request.send_event("task-started", name=request.name)

        self._on_loop(work)

    def ended(self, jobs: Sequence[Ended]) -> None:
        """Announce results that are committed."""

        def work() -> None:
            for job in jobs:
                state.task_ready(job.request, successful=job.error is None)
                if job.error is None:
                    job.request.send_event(
                        "task-succeeded", name=job.request.name, result="", runtime=job.runtime
                    )
                else:
                    job.request.send_event(
                        "task-failed", name=job.request.name, exception=job.error, traceback=""
                    )

        self._on_loop(work)

    def wake(self) -> None:
        """Make the event loop look again whether it may fetch."""
        self._on_loop(_nothing)

    def _on_loop(self, work: Callable[[], None]) -> None:
        hub = getattr(self._consumer, "hub", None)
        if self._direct or hub is None:
            _guarded(work)
        else:
            hub.call_soon(_guarded, work)


def _nothing() -> None:
    """Tick the loop."""


def _guarded(work: Callable[[], None]) -> None:
    # A lost connection here costs an event or an acknowledgement, both of which
    # claiming repairs; it must not cost the thread.
    try:
        work()
    except Exception:
        logger.warning("Celery could not be told of a job's progress", exc_info=True)
