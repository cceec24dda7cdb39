"""Webhook endpoints for tests of the store and of the sender."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from lepton_tasks.store.database import now
from lepton_tasks.store.endpoints import Endpoint, NewEndpoint
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import DeliveryRow, EndpointRow
from lepton_tasks.webhooks.signing import new_secret

endpoints = EndpointRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

TEST_KEY = b64encode(bytes(range(32))).decode()
"""Key of the tests' stores, as LEPTON_SECRET_KEY has it."""
HOOK = "https://hooks.example.test/a"


def subscribe(
    store: Store,
    url: str = HOOK,
    tenant: str = "acme",
    *,
    events: Sequence[str] | None = None,
    secret: str | None = None,
    **more: Any,
) -> Endpoint:
    """An endpoint of ``tenant``."""
    wanted = None if events is None else tuple(events)
    new = NewEndpoint(url, secret or new_secret(), events=wanted, **more)
    return store.endpoints.create(tenant, new)


def age(store: Store, endpoint_id: str, seconds: float) -> None:
    """Let an endpoint have failed for that long."""
    with store.database.write() as connection:
        connection.execute(
            update(endpoints)
            .where(endpoints.c.id == endpoint_id)
            .values(failing_since=now() - seconds)
        )


def forget_overlap(store: Store, endpoint_id: str) -> None:
    """Let the day after a rotation be over."""
    with store.database.write() as connection:
        connection.execute(
            update(endpoints)
            .where(endpoints.c.id == endpoint_id)
            .values(old_secret_until=now() - 1)
        )


def created(store: Store, delivery_id: str, at: float) -> None:
    """Let a delivery be of another time."""
    with store.database.write() as connection:
        connection.execute(
            update(deliveries).where(deliveries.c.id == delivery_id).values(created_at=at)
        )
