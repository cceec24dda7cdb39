"""What Celery's readers of a job that failed are told, as an exception."""

from __future__ import annotations


class JobFailed(Exception):
    """A job ended as failed; the message holds the error's code and text."""
