"""Signatures of the Standard Webhooks specification, by its own library."""

from __future__ import annotations

from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook


def signed_headers(secret: str, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """Headers that let a receiver verify ``body``, sent at ``at`` (aware).

    The id stays the same over all attempts, so that a receiver can drop what it
    has seen; the time is that of the attempt, because receivers refuse an old one.
    ``body`` must be UTF-8.

    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> signed_headers("whsec_" + "A" * 32, "evt_1", b"{}", at)["webhook-timestamp"]
    '1767225600'
    """
    at = at.astimezone(UTC)  # the library takes the clock reading for UTC, whatever its zone
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }
