"""Webhook deliveries as the sender sees them: claim due ones, record what happened."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Integer,
    LargeBinary,
    Row,
    Text,
    Update,
    and_,
    bindparam,
    case,
    select,
    update,
)

from lepton_tasks.states import DeliveryState
from lepton_tasks.store.addressing import CLAIMED, Delivery, address
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.delivery_history import DeliveryHistory
from lepton_tasks.store.delivery_lanes import IS_OPEN, due_lanes
from lepton_tasks.store.endpoint_health import Disabled, Result, apply_results
from lepton_tasks.store.keys import KeyStore
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.tables import AttemptRow, DeliveryRow

logger = logging.getLogger(__name__)

deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
attempts = AttemptRow.__table__  # type: ignore[attr-defined]

MAX_RESPONSE_BYTES: Final = 20 * 1024
"""Bytes kept of an answer's body."""

__all__ = ["MAX_RESPONSE_BYTES", "Attempt", "Delivery", "DeliveryStore"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one sending went. ``retry_in`` is seconds until the next, None when there is none.

    ``response`` is the start of the answer's body, cut at :data:`MAX_RESPONSE_BYTES`; it is
    for the tenant's eyes and never logged.
    """

    delivery: Delivery
    seconds: float
    status: int | None
    error: str | None
    delivered: bool
    retry_in: float | None
    response: bytes | None = None


class DeliveryStore(DeliveryHistory):
    """The deliveries table: what senders do, and all that tenants may (see the base class)."""

    def __init__(self, database: Database, box: SecretBox, keys: KeyStore) -> None:
        super().__init__(database)
        self._box = box
        self._keys = keys

    def claim_due(
        self, limit: int, lease_seconds: float, lanes: Mapping[str, int] | None = None
    ) -> list[Delivery]:
        """Take up to ``limit`` due deliveries for ``lease_seconds``, those due longest first.

        With ``lanes``, at most so many of each lane named there, and none of others.
        A sender that dies leaves them ``sending``; they are due again when the
        lease, kept in ``next_at``, has run out. What belongs to a disabled endpoint is
        held instead of claimed, so fewer than asked may come back though more are due.
        """

        def work(connection: Connection) -> list[Delivery]:
            rows: list[Row[Any]] = []
            for lane, most in ((None, limit),) if lanes is None else lanes.items():
                wanted = {
                    "of_lane": lane,
                    "most": min(most, limit - len(rows)),
                    "lease": lease_seconds,
                }
                claim = _CLAIM if lane is None else _CLAIM_OF_LANE
                rows += connection.execute(claim, wanted).all()
            return address(connection, rows, self._box, self._keys.secret_within)

        # A claim that a crash of the machine undoes is a delivery that is due.
        return self._database.transact(work, durable=False)

    def record(self, made: Sequence[Attempt]) -> None:
        """Write attempts and what follows from them, in one transaction.

        An attempt of a delivery that is not this sender's any more is dropped, and
        so is one that is recorded already: after a doubtful commit, record again.
        An endpoint moves with its results (``lepton_tasks/webhooks/health.py``); what
        waits for one that is disabled is held.
        """
        if not made:
            return
        written = [
            {
                "of_id": attempt.delivery.id,
                "of_fence": attempt.delivery.fence,
                "of_attempt": attempt.delivery.attempt,
                "of_seconds": attempt.seconds,
                "of_status": attempt.status,
                "of_error": attempt.error,
                "of_response": _cut(attempt.response),
            }
            for attempt in made
        ]
        changes = [
            {
                "of_id": attempt.delivery.id,
                "of_fence": attempt.delivery.fence,
                "to_state": _state_after(attempt),
                "wait": attempt.retry_in or 0.0,
                "final": attempt.delivered or attempt.retry_in is None,
            }
            for attempt in made
        ]

        def work(connection: Connection) -> list[Disabled]:
            results = _results(connection, made)
            connection.execute(_WRITE_ATTEMPT, written)
            connection.execute(_WRITE_OUTCOME, changes)
            return apply_results(connection, results)

        for endpoint in self._database.transact(work):
            logger.warning(
                "webhook endpoint %s of tenant %s is disabled: %s",
                endpoint.endpoint_id,
                endpoint.tenant,
                endpoint.why,
            )

    def release(self, claimed: Sequence[tuple[Delivery, float]]) -> None:
        """Give claimed deliveries back unsent, each due in some seconds; no attempt is counted."""
        if not claimed:
            return
        given = [{"of_id": one.id, "of_fence": one.fence, "wait": wait} for one, wait in claimed]

        def work(connection: Connection) -> None:
            connection.execute(_GIVE_BACK, given)

        self._database.transact(work)

    def lanes(self) -> dict[str, float]:
        """Lanes that have open deliveries, and the seconds until the first of each is due."""
        with self._database.read() as connection:
            return due_lanes(connection)


def _claim(*conditions: ColumnElement[bool]) -> Update:
    # A CTE, because PostgreSQL may run a locking subquery more than once.
    due = (
        select(deliveries.c.id)
        .where(IS_OPEN, *conditions, deliveries.c.next_at <= now())
        .order_by(deliveries.c.next_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(deliveries)
        .where(deliveries.c.id.in_(select(due.c.id)))
        .values(
            state=DeliveryState.SENDING,
            attempt=deliveries.c.attempt + 1,
            fence=deliveries.c.fence + 1,
            next_at=now() + bindparam("lease", type_=Double),
        )
        .returning(*CLAIMED)
    )


def _results(connection: Connection, made: Sequence[Attempt]) -> list[Result]:
    """What counts for endpoints: attempts of deliveries that are still this sender's."""
    sent = [(attempt.delivery.endpoint_id, attempt) for attempt in made]
    to_endpoints = [(endpoint, attempt) for endpoint, attempt in sent if endpoint is not None]
    if not to_endpoints:
        return []
    rows = connection.execute(
        select(deliveries.c.id, deliveries.c.fence).where(
            deliveries.c.id.in_([attempt.delivery.id for _, attempt in to_endpoints]),
            deliveries.c.state == DeliveryState.SENDING,
        )
    ).all()
    mine = {(row.id, row.fence) for row in rows}
    return [
        Result(endpoint, attempt.delivered, attempt.status)
        for endpoint, attempt in to_endpoints
        if (attempt.delivery.id, attempt.delivery.fence) in mine
    ]


def _cut(response: bytes | None) -> bytes | None:
    return None if response is None else response[:MAX_RESPONSE_BYTES]


def _state_after(attempt: Attempt) -> DeliveryState:
    if attempt.delivered:
        return DeliveryState.DELIVERED
    return DeliveryState.EXHAUSTED if attempt.retry_in is None else DeliveryState.PENDING


_MINE = and_(
    deliveries.c.id == bindparam("of_id"),
    deliveries.c.fence == bindparam("of_fence"),
    deliveries.c.state == DeliveryState.SENDING,
)
_WRITE_ATTEMPT = attempts.insert().from_select(
    ["delivery_id", "round", "attempt", "at", "seconds", "status", "error", "response"],
    select(
        deliveries.c.id,
        deliveries.c.round,
        bindparam("of_attempt", type_=Integer),
        now(),
        bindparam("of_seconds", type_=Double),
        bindparam("of_status", type_=Integer),
        bindparam("of_error", type_=Text),
        bindparam("of_response", type_=LargeBinary),
    ).where(_MINE),
)
_WRITE_OUTCOME = (
    update(deliveries)
    .where(_MINE)
    .values(
        state=bindparam("to_state"),
        next_at=now() + bindparam("wait", type_=Double),
        finished_at=case((bindparam("final", type_=Boolean), now())),
    )
)
_GIVE_BACK = (
    update(deliveries)
    .where(_MINE)
    .values(
        state=DeliveryState.PENDING,
        attempt=deliveries.c.attempt - 1,
        next_at=now() + bindparam("wait", type_=Double),
    )
)
_CLAIM = _claim()
_CLAIM_OF_LANE = _claim(deliveries.c.lane == bindparam("of_lane", type_=Text))
