"""Webhook deliveries as the sender sees them: claim due ones, record what happened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from lepton_tasks.states import DeliveryState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import AttemptRow, DeliveryRow

deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
attempts = AttemptRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that this sender owns for a while, proved by ``fence``."""

    id: str
    tenant: str
    url: str
    event_type: str
    body: bytes
    attempt: int
    fence: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one sending went. ``retry_in`` is seconds until the next, None when there is none."""

    delivery: Delivery
    seconds: float
    status: int | None
    error: str | None
    delivered: bool
    retry_in: float | None


class DeliveryStore:
    """The deliveries table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim_due(
        self, limit: int, lease_seconds: float, avoid: Collection[str] = ()
    ) -> list[Delivery]:
        """Take up to ``limit`` due deliveries for ``lease_seconds``, those due longest first.

        A sender that dies leaves them ``sending``; they are due again when the
        lease, kept in ``next_at``, has run out. Deliveries to the origins in
        ``avoid`` (``scheme://host:port`` as their URLs write it) are passed over.
        """

        def work(connection: Connection) -> list[Delivery]:
            # A CTE, because PostgreSQL may run a locking subquery more than once.
            due = (
                select(deliveries.c.id)
                .where(*_open(avoid), deliveries.c.next_at <= now())
                .order_by(deliveries.c.next_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
                .cte("due")
            )
            rows = connection.execute(
                update(deliveries)
                .where(deliveries.c.id.in_(select(due.c.id)))
                .values(
                    state=DeliveryState.SENDING,
                    attempt=deliveries.c.attempt + 1,
                    fence=deliveries.c.fence + 1,
                    next_at=now() + lease_seconds,
                )
                .returning(*_CLAIMED)
            ).all()
            return [Delivery(*row) for row in rows]

        return self._database.transact(work)

    def record(self, made: Sequence[Attempt]) -> None:
        """Write attempts and what follows from them, in one transaction.

        An attempt of a delivery that is not this sender's any more is dropped, and
        so is one that is recorded already: after a doubtful commit, record again.
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

        def work(connection: Connection) -> None:
            connection.execute(_WRITE_ATTEMPT, written)
            connection.execute(_WRITE_OUTCOME, changes)

        self._database.transact(work)

    def release(self, claimed: Sequence[Delivery], seconds: float) -> None:
        """Give claimed deliveries back unsent, due in ``seconds``; no attempt is counted."""
        if not claimed:
            return
        given = [{"of_id": one.id, "of_fence": one.fence, "wait": seconds} for one in claimed]

        def work(connection: Connection) -> None:
            connection.execute(_GIVE_BACK, given)

        self._database.transact(work)

    def next_due_in(self, avoid: Collection[str] = ()) -> float | None:
        """Seconds until the next delivery is due, ``avoid`` left out; None when none is open."""
        with self._database.read() as connection:
            wait = connection.execute(
                select(func.min(deliveries.c.next_at) - now()).where(*_open(avoid))
            ).scalar()
        return None if wait is None else max(0.0, wait)

    def counts(self, tenant: str) -> dict[str, int]:
        """A tenant's deliveries by state."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(deliveries.c.state, func.count())
                .where(deliveries.c.tenant == tenant)
                .group_by(deliveries.c.state)
            ).all()
        return {row[0]: row[1] for row in rows}


def _open(avoid: Collection[str]) -> list[ColumnElement[bool]]:
    """Conditions of the index of due deliveries, and of URLs that lead elsewhere."""
    avoided = [
        not_(
            or_(
                deliveries.c.url == origin,
                *(deliveries.c.url.startswith(origin + end, autoescape=True) for end in "/?#"),
            )
        )
        for origin in avoid
    ]
    # Literals, so that PostgreSQL can prove that the partial index applies.
    open_states = literal_column("state IN ('pending', 'sending')", Boolean)
    return [open_states, *avoided]


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
    ["delivery_id", "attempt", "at", "seconds", "status", "error"],
    select(
        deliveries.c.id,
        bindparam("of_attempt", type_=Integer),
        now(),
        bindparam("of_seconds", type_=Double),
        bindparam("of_status", type_=Integer),
        bindparam("of_error", type_=Text),
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
_CLAIMED = [
    deliveries.c[name] for name in ["id", "tenant", "url", "event_type", "body", "attempt", "fence"]
]
