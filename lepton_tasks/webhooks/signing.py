"""Signatures of the Standard Webhooks specification, by its own library; their secrets."""

from __future__ import annotations

import base64
import binascii
import secrets as random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

from lepton_tasks.errors import InvalidInput

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - no secret
LEAST_SECRET_BYTES: Final = 24
MOST_SECRET_BYTES: Final = 64
"""Bounds of the specification."""
_SHOWN_CHARACTERS: Final = 4


def signed_headers(
    secrets: Sequence[str], message_id: str, body: bytes, at: datetime
) -> dict[str, str]:
    """Headers that let a receiver verify ``body``, sent at ``at`` (aware).

    There is a signature for each of ``secrets``, the current one first, so that a
    receiver that holds an old one still verifies. The id stays the same over all
    attempts, so that a receiver can drop what it has seen; the time is that of the
    attempt, because receivers refuse an old one. ``body`` must be UTF-8.

    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> signed_headers(["whsec_" + "A" * 32], "evt_1", b"{}", at)["webhook-timestamp"]
    '1767225600'
    """
    at = at.astimezone(UTC)  # the library takes the clock reading for UTC, whatever its zone
    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(message_id, at, text) for secret in secrets
        ),
    }


def new_secret() -> str:
    """Make a secret ``whsec_…`` of 256 random bits."""
    return SECRET_PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def check_secret(secret: object, param: str) -> str:
    """Check a secret that a tenant brings.

    >>> check_secret("whsec_" + "MTIz" * 8, "secret")
    'whsec_MTIzMTIzMTIzMTIzMTIzMTIzMTIzMTIz'
    >>> check_secret("whsec_c2hvcnQ=", "secret")
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: secret is too short: it must hold 24 to 64 bytes, ...

    Raises:
        InvalidInput: it is not ``whsec_`` and base64 (with its padding) of 24 to 64 bytes.
    """
    if not isinstance(secret, str) or not secret.startswith(SECRET_PREFIX):
        raise InvalidInput(
            f"{param} must be `whsec_` and random bytes in base64", param, "invalid_secret"
        )
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            f"{param} must be standard base64 with its padding after `whsec_`",
            param,
            "invalid_secret",
        ) from error
    if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        wrong = "short" if len(key) < LEAST_SECRET_BYTES else "long"
        raise InvalidInput(
            f"{param} is too {wrong}: it must hold {LEAST_SECRET_BYTES} to "
            f"{MOST_SECRET_BYTES} bytes, this one has {len(key)}",
            param,
            "invalid_secret",
        )
    return secret


def secret_hint(secret: str) -> str:
    """What may be shown of a secret, for people to tell it from another.

    >>> secret_hint("whsec_MTIzMTIzMTIzMTIzMTIzMTIzMTIzMTIz")
    'whsec_…MTIz'
    """
    return f"{SECRET_PREFIX}…{secret[-_SHOWN_CHARACTERS:]}"
