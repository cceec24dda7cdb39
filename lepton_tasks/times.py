"""Times as people write and read them; everywhere else they are Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from lepton_tasks.errors import InvalidInput


def parse_time(text: str, param: str) -> float:
    """Unix seconds of an ISO 8601 time, which says its offset.

    >>> parse_time("2026-01-01T08:00:00+08:00", "run_at")
    1767225600.0

    Raises:
        InvalidInput: it is no time, or has no offset; ``param`` names the field.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass  # answered below, as for a time without an offset
    raise InvalidInput(
        f"{param} must be Unix seconds or an ISO 8601 time with an offset, "
        "such as 2026-01-31T08:00:00Z",
        param,
        "invalid_time",
    )


def show_time(seconds: float) -> str:
    """A time for people, in UTC.

    >>> show_time(1767225600.9)
    '2026-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
