"""From claimed delivery rows to what a sender needs: where to, which headers, whose secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, select, update

from lepton_tasks.errors import ConfigError
from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.database import now
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.tables import DeliveryRow, EndpointRow

logger = logging.getLogger(__name__)

deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
endpoints = EndpointRow.__table__  # type: ignore[attr-defined]

NO_KEY_PAUSE: Final = 60.0
"""Seconds until a delivery is looked at again whose secret cannot be opened here."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that this sender owns for a while, proved by ``fence``.

    ``event_id`` goes out as ``webhook-id``. ``attempt`` counts within ``round``, from
    1 on, and is what the retry schedule goes by; a replay begins a new round.
    ``secrets`` sign it, the current one first: two of them for a day after a rotation.
    ``headers`` are the tenant's own, in addition to ours. ``rate_limit`` is the most
    requests a second to this endpoint, None for any. Where a job or batch named the
    URL itself, ``endpoint_id`` is None. ``lane`` is what it must not hold up others of.
    """

    id: str
    tenant: str
    url: str
    event_type: str
    body: bytes
    attempt: int
    fence: int
    lane: str
    event_id: str
    sequence: int
    round: int
    endpoint_id: str | None = None
    rate_limit: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


CLAIMED: Final = [
    deliveries.c[name]
    for name in [
        "id",
        "tenant",
        "url",
        "event_type",
        "body",
        "attempt",
        "fence",
        "lane",
        "event_id",
        "sequence",
        "round",
        "endpoint_id",
    ]
]
"""What a claim must return for :func:`address`."""


def address(
    connection: Connection,
    rows: Sequence[Row[Any]],
    box: SecretBox,
    secret_of: Callable[[Connection, str], str],
) -> list[Delivery]:
    """Complete claimed rows, in the claim's transaction.

    Rows that cannot be sent are put where they belong: held where the endpoint is
    disabled, cancelled where it is deleted, back for a minute where the secret
    cannot be opened. ``secret_of`` gives a tenant's own secret, for rows without an
    endpoint.
    """
    found = _endpoints(connection, {row.endpoint_id for row in rows if row.endpoint_id})
    addressed, held, gone, sealed = [], [], [], []
    opened = {
        key: _open(row, box) for key, row in found.items() if row.state != EndpointState.DISABLED
    }
    own = {
        tenant: _own(connection, tenant, secret_of)
        for tenant in sorted({row.tenant for row in rows if row.endpoint_id is None})
    }
    for row in rows:
        endpoint, details = found.get(row.endpoint_id), opened.get(row.endpoint_id)
        if row.endpoint_id is None:
            secret = own[row.tenant]
            if secret is None:
                sealed.append(row.id)
            else:
                addressed.append(Delivery(**row._mapping, secrets=(secret,)))
        elif endpoint is None:
            gone.append(row.id)
        elif endpoint.state == EndpointState.DISABLED:
            held.append(row.id)
        elif details is None:
            sealed.append(row.id)
        else:
            addressed.append(Delivery(**row._mapping, **details))
    _unclaim(connection, held, state=DeliveryState.HELD, finished_at=now())
    _unclaim(connection, gone, state=DeliveryState.CANCELLED, finished_at=now())
    _unclaim(connection, sealed, state=DeliveryState.PENDING, next_at=now() + NO_KEY_PAUSE)
    return addressed


def _endpoints(connection: Connection, ids: Collection[str]) -> dict[str | None, Any]:
    if not ids:
        return {}
    rows = connection.execute(
        select(
            endpoints.c.id,
            endpoints.c.state,
            endpoints.c.headers,
            endpoints.c.rate_limit,
            endpoints.c.secret,
            endpoints.c.old_secret,
            (endpoints.c.old_secret_until > now()).label("overlap"),
        ).where(endpoints.c.id.in_(ids))
    ).all()
    return {row.id: row for row in rows}


def _open(endpoint: Any, box: SecretBox) -> dict[str, Any] | None:
    try:
        secrets = [box.open(endpoint.secret, endpoint.id)]
        if endpoint.old_secret is not None and endpoint.overlap:
            secrets.append(box.open(endpoint.old_secret, endpoint.id))
        headers = "{}" if endpoint.headers is None else box.open(endpoint.headers, endpoint.id)
    except ConfigError as error:
        logger.error("webhooks of endpoint %s wait: %s", endpoint.id, error)
        return None
    return {
        "secrets": tuple(secrets),
        "headers": orjson.loads(headers),
        "rate_limit": endpoint.rate_limit,
    }


def _own(
    connection: Connection, tenant: str, secret_of: Callable[[Connection, str], str]
) -> str | None:
    try:
        return secret_of(connection, tenant)
    except ConfigError as error:
        logger.error("webhooks of tenant %s wait: %s", tenant, error)
        return None


def _unclaim(connection: Connection, ids: Sequence[str], **values: Any) -> None:
    if ids:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(ids))
            .values(attempt=deliveries.c.attempt - 1, **values)
        )
