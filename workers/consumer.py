"""Celery's consumer with logs that never quote a message's body."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from celery.worker.consumer import Consumer
from kombu.utils.limits import TokenBucket

from lepton_tasks.canvas.signatures import CanvasRefused
from lepton_tasks.queues import MESSAGE_PREFIX

_BURST_SECONDS: Final = 0.1


class TextFreeConsumer(Consumer):  # type: ignore[misc] # Celery has no types
    """Quarantines what cannot be a job, with the reason and without quoting it."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect; a Redis that is away is tried every two seconds. Celery's waits grow to 30 s."""
        waits = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
        conn.ensure_connection = partial(conn.ensure_connection, **waits)
        return super().ensure_connected(conn)

    def bucket_for_task(self, type: Any) -> TokenBucket | None:
        """Return what counts a task's rate; None for no limit.

        It holds a tenth of a second's worth, so that a high rate is reached by fetching
        several messages at a time. Celery's holds one.
        """
        bucket = super().bucket_for_task(type)
        if bucket is not None:
            bucket.capacity = max(1.0, bucket.fill_rate * _BURST_SECONDS)
        return bucket

    def update_strategies(self) -> None:
        """Serve our tasks alone: Celery's own, such as ``celery.map``, would run on the loop."""
        super().update_strategies()
        for name in self.app.tasks:
            if not name.startswith(MESSAGE_PREFIX):
                del self.strategies[name]

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Set aside a message whose content cannot be decoded."""
        _quarantine(message, f"cannot be decoded ({type(exc).__name__})")

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Set aside a message that is no Celery task."""
        _quarantine(message, "is no task message")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Set aside a message for a task that this worker does not serve."""
        [name] = exc.args
        if name in self.app.tasks:
            why = f"names {name}, a task of Celery's own that a lepton worker does not run"
        else:
            why = "names a task that this worker does not serve"
        _quarantine(message, why)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Set aside a message of the wrong shape or content type."""
        refused = isinstance(exc.__cause__, CanvasRefused)
        _quarantine(message, str(exc) if refused else f"is malformed ({type(exc).__name__})")


def _quarantine(message: Any, reason: str) -> None:
    message.channel.quarantine(message.delivery_tag, f"it {reason}")
