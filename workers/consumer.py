"""Celery's consumer with logs that never quote a message's body."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)


class TextFreeConsumer(Consumer):  # type: ignore[misc] # Celery has no types
    """Drops what cannot be a job, naming its id, its size and the reason."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop a message whose content cannot be decoded."""
        _log(message, f"cannot be decoded ({type(exc).__name__})")
        message.ack_log_error(logger, self.connection_errors)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Drop a message that is no Celery task."""
        _log(message, "is no task message")
        message.reject_log_error(logger, self.connection_errors)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Drop a message for a task that this worker does not serve."""
        _log(message, "names a task that this worker does not serve")
        message.reject_log_error(logger, self.connection_errors)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Drop a message of the wrong shape or content type."""
        _log(message, f"is malformed ({type(exc).__name__})")
        message.reject_log_error(logger, self.connection_errors)


def _log(message: Any, reason: str) -> None:
    headers = message.headers if isinstance(message.headers, dict) else {}
    logger.error(
        "dropped message %.80r for %.80r: it %s; %d bytes of %.40r",
        headers.get("id"),
        headers.get("task"),
        reason,
        len(message.body or b""),
        message.content_type,
    )
