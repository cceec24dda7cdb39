"""What deliveries' results do to their endpoints, in the transaction that records them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update

from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.database import now
from lepton_tasks.store.operator_events import note
from lepton_tasks.store.tables import DeliveryRow, EndpointRow
from lepton_tasks.webhooks.health import DisabledReason, Health, after_attempt

endpoints = EndpointRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

DISABLED_EVENT: Final = "webhook_endpoint.disabled"
_IN_WORDS: Final = {
    DisabledReason.GONE: "its receiver answered 410",
    DisabledReason.FAILING: "it has failed for 5 days without one success",
    DisabledReason.BY_TENANT: "its tenant disabled it",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One sending to an endpoint, as far as the endpoint's health goes."""

    endpoint_id: str
    delivered: bool
    status: int | None


@dataclass(frozen=True, slots=True)
class Disabled:
    """An endpoint that these results have disabled, and why, in words."""

    endpoint_id: str
    tenant: str
    why: str


def apply_results(connection: Connection, results: Iterable[Result]) -> list[Disabled]:
    """Move endpoints by ``results``, in their order; hold what a disabled one was still owed."""
    by_endpoint: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_endpoint[result.endpoint_id].append(result)
    if not by_endpoint:
        return []
    rows = connection.execute(
        select(
            endpoints.c.id,
            endpoints.c.tenant,
            endpoints.c.state,
            endpoints.c.failing_since,
            endpoints.c.disabled_reason,
            now().label("now"),
        )
        .where(endpoints.c.id.in_(by_endpoint))
        .order_by(endpoints.c.id)  # one order for all senders, so that they cannot deadlock
        .with_for_update()
    ).all()
    disabled = []
    for row in rows:
        before = Health(EndpointState(row.state), row.failing_since, row.disabled_reason)
        after = before
        for result in by_endpoint[row.id]:
            after = after_attempt(after, result.delivered, result.status, row.now)
        if after != before:
            _write(connection, row.id, after)
        if after.state == EndpointState.DISABLED:
            hold(connection, row.id)
            if before.state != EndpointState.DISABLED and after.disabled_reason is not None:
                why = _IN_WORDS[after.disabled_reason]
                note(connection, DISABLED_EVENT, row.tenant, row.id, why)
                disabled.append(Disabled(row.id, row.tenant, why))
    return disabled


def hold(connection: Connection, endpoint_id: str) -> None:
    """Keep what waits for an endpoint from being sent."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.state == DeliveryState.PENDING)
        .values(state=DeliveryState.HELD, finished_at=now())
    )


def _write(connection: Connection, endpoint_id: str, health: Health) -> None:
    connection.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id)
        .values(
            state=health.state,
            failing_since=health.failing_since,
            disabled_reason=health.disabled_reason,
        )
    )
