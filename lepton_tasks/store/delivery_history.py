"""Webhook deliveries as their tenants see them: read, list, send again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    select,
    tuple_,
    update,
)

from lepton_tasks.errors import Conflict, NotFound
from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.paging import newest_first
from lepton_tasks.store.tables import AttemptRow, DeliveryRow, EndpointRow

deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
attempts = AttemptRow.__table__  # type: ignore[attr-defined]
endpoints = EndpointRow.__table__  # type: ignore[attr-defined]

REPLAYABLE: Final = (DeliveryState.DELIVERED, DeliveryState.EXHAUSTED, DeliveryState.HELD)
"""States from which a delivery can be sent again."""
UNDELIVERED: Final = (DeliveryState.EXHAUSTED, DeliveryState.HELD)
"""Those of them whose receiver has not taken the message."""
_PAGE: Final = 500

_VIEW: Final = [
    deliveries.c[name]
    for name in [
        "id",
        "tenant",
        "endpoint_id",
        "event_id",
        "sequence",
        "url",
        "event_type",
        "state",
        "round",
        "attempt",
        "next_at",
        "created_at",
        "finished_at",
    ]
]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery without its body. ``next_at`` is when it is due, where it is open."""

    id: str
    tenant: str
    endpoint_id: str | None
    event_id: str
    sequence: int
    url: str
    event_type: str
    state: DeliveryState
    round: int
    attempt: int
    next_at: float
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One sending as it went; ``response`` is the start of the answer's body."""

    round: int
    attempt: int
    at: float
    seconds: float
    status: int | None
    error: str | None
    response: bytes | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """One step of a replay: how many go out again, and where the next step begins."""

    count: int
    last_id: str | None
    has_more: bool


class DeliveryHistory:
    """A tenant's deliveries. Every method names the tenant, another's are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, tenant: str, delivery_id: str) -> DeliveryView:
        """Read a delivery.

        Raises:
            NotFound: the tenant has no such delivery.
        """
        with self._database.read() as connection:
            row = connection.execute(select(*_VIEW).where(_mine(tenant, delivery_id))).first()
        if row is None:
            raise NotFound(f"no webhook delivery {delivery_id}")
        return _view(row)

    def body(self, tenant: str, delivery_id: str) -> bytes:
        """What is sent, byte for byte.

        Raises:
            NotFound: the tenant has no such delivery.
        """
        with self._database.read() as connection:
            body = connection.execute(
                select(deliveries.c.body).where(_mine(tenant, delivery_id))
            ).scalar()
        if body is None:
            raise NotFound(f"no webhook delivery {delivery_id}")
        return bytes(body)

    def attempts(self, tenant: str, delivery_id: str, limit: int = 100) -> list[PastAttempt]:
        """Last attempts of a delivery, oldest first.

        Raises:
            NotFound: the tenant has no such delivery.
        """
        self.get(tenant, delivery_id)
        with self._database.read() as connection:
            rows = connection.execute(
                select(*[column for column in attempts.c if column.name != "delivery_id"])
                .where(attempts.c.delivery_id == delivery_id)
                .order_by(attempts.c.round.desc(), attempts.c.attempt.desc())
                .limit(limit)
            ).all()
        return [PastAttempt(**row._mapping) for row in reversed(rows)]

    def page(
        self,
        tenant: str,
        endpoint_id: str,
        *,
        state: DeliveryState | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> list[DeliveryView]:
        """Page through an endpoint's deliveries, newest first, beginning after ``after``.

        Raises:
            NotFound: ``after`` is no delivery of this tenant.
        """
        query = select(*_VIEW).where(
            deliveries.c.tenant == tenant, deliveries.c.endpoint_id == endpoint_id
        )
        if state is not None:
            query = query.where(deliveries.c.state == state)
        with self._database.read() as connection:
            last = None if after is None else _place(connection, tenant, after)
            rows = connection.execute(newest_first(query, deliveries, last, limit)).all()
        return [_view(row) for row in rows]

    def replay(self, tenant: str, delivery_id: str) -> DeliveryView:
        """Send a delivery again, same id and body, with a whole schedule before it.

        One that is on its way already stays so, and is due at once.

        Raises:
            NotFound: the tenant has no such delivery.
            Conflict: its endpoint is disabled or deleted.
        """

        def work(connection: Connection) -> None:
            row = connection.execute(
                select(deliveries.c.endpoint_id).where(_mine(tenant, delivery_id))
            ).first()
            if row is None:
                raise NotFound(f"no webhook delivery {delivery_id}")
            url = None
            if row.endpoint_id is not None:
                url = _url(connection, tenant, row.endpoint_id)
                if url is None:
                    raise Conflict("the delivery's endpoint was deleted", "endpoint_deleted")
            connection.execute(
                update(deliveries)
                .where(_mine(tenant, delivery_id), deliveries.c.state == DeliveryState.PENDING)
                .values(next_at=now())
            )
            _start_round(connection, [delivery_id], REPLAYABLE, url)

        self._database.transact(work)
        return self.get(tenant, delivery_id)

    def replay_range(
        self,
        tenant: str,
        endpoint_id: str,
        since: float,
        until: float,
        *,
        states: Collection[DeliveryState] = UNDELIVERED,
        after: str | None = None,
        limit: int = _PAGE,
    ) -> Replayed:
        """Send again what an endpoint was owed from ``since`` up to ``until`` (Unix seconds).

        Goes through ``limit`` deliveries, oldest first, beginning after ``after``; call it
        with the last ``last_id`` while there is more. What is on its way is left alone, so
        doing it twice with the default ``states`` sends nothing twice.

        Raises:
            NotFound: the tenant has no such endpoint, or no delivery ``after``.
            Conflict: the endpoint is disabled.
        """
        wanted = [DeliveryState(state) for state in states if state in REPLAYABLE]
        at = tuple_(deliveries.c.created_at, deliveries.c.id)

        def work(connection: Connection) -> Replayed:
            url = _url(connection, tenant, endpoint_id)
            if url is None:
                raise NotFound(f"no webhook endpoint {endpoint_id}")
            query = select(deliveries.c.id).where(
                deliveries.c.tenant == tenant,
                deliveries.c.endpoint_id == endpoint_id,
                deliveries.c.created_at >= since,
                deliveries.c.created_at < until,
                deliveries.c.state.in_(wanted),
            )
            if after is not None:
                last = _place(connection, tenant, after)
                query = query.where(at > tuple_(last.created_at, last.id))
            oldest = (deliveries.c.created_at, deliveries.c.id)
            rows = connection.execute(query.order_by(*oldest).limit(limit + 1)).all()
            ids = [row.id for row in rows[:limit]]
            count = _start_round(connection, ids, wanted, url)
            return Replayed(count, ids[-1] if ids else None, len(rows) > limit)

        return self._database.transact(work)

    def cancel(self, tenant: str, delivery_id: str) -> None:
        """Make no further attempt; one that is on the wire counts yet."""
        self._database.transact(
            lambda connection: connection.execute(
                update(deliveries)
                .where(_mine(tenant, delivery_id), deliveries.c.state == DeliveryState.PENDING)
                .values(state=DeliveryState.CANCELLED, finished_at=now())
            )
        )

    def counts(self, tenant: str) -> dict[str, int]:
        """A tenant's deliveries by state."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(deliveries.c.state, func.count())
                .where(deliveries.c.tenant == tenant)
                .group_by(deliveries.c.state)
            ).all()
        return {row[0]: row[1] for row in rows}


def _mine(tenant: str, delivery_id: str) -> ColumnElement[bool]:
    return and_(deliveries.c.tenant == tenant, deliveries.c.id == delivery_id)


def _place(connection: Connection, tenant: str, after: str) -> Row[Any]:
    row = connection.execute(
        select(deliveries.c.created_at, deliveries.c.id).where(_mine(tenant, after))
    ).first()
    if row is None:
        raise NotFound(f"no webhook delivery {after} to continue after")
    return row


def _url(connection: Connection, tenant: str, endpoint_id: str) -> str | None:
    """URL of an endpoint that is sent to; None when there is no such endpoint."""
    row = connection.execute(
        select(endpoints.c.url, endpoints.c.state).where(
            endpoints.c.tenant == tenant, endpoints.c.id == endpoint_id
        )
    ).first()
    if row is None:
        return None
    if row.state == EndpointState.DISABLED:
        raise Conflict(
            f"webhook endpoint {endpoint_id} is disabled; enable it, then replay",
            "endpoint_disabled",
        )
    return str(row.url)


def _start_round(
    connection: Connection, ids: Sequence[str], states: Sequence[DeliveryState], url: str | None
) -> int:
    """Put deliveries on their way anew, to ``url`` where one is given; returns how many moved."""
    if not ids:
        return 0
    values: dict[str, Any] = {} if url is None else {"url": url}
    rows = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state.in_(states))
        .values(
            state=DeliveryState.PENDING,
            round=deliveries.c.round + 1,
            attempt=0,
            next_at=now(),
            finished_at=None,
            **values,
        )
        .returning(deliveries.c.id)
    ).all()
    return len(rows)


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(**dict(row._mapping) | {"state": DeliveryState(row.state)})
