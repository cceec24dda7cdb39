"""From what happened to the deliveries it owes, in the transaction in which it happens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Table, exists, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.ids import new_id
from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.tables import EndpointRow, EventSequenceRow
from lepton_tasks.webhooks.events import MakeData, event_body, sample_data, wants

endpoints = EndpointRow.__table__  # type: ignore[attr-defined]
sequences = EventSequenceRow.__table__  # type: ignore[attr-defined]

Addressee = tuple[str | None, str, DeliveryState]
"""Endpoint, URL, and the state in which the delivery begins."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in the making: what a stored ``row`` tells, and the URL that the row names."""

    event_type: str
    tenant: str
    at: float
    row: Any
    make_data: MakeData
    webhook: str | None
    subscribed: bool
    """Whether the tenant's endpoints are to be asked; :func:`subscribed` of the row's tenant."""


def subscribed(table: Table) -> ColumnElement[bool]:
    """Whether the tenant of a row of ``table`` has endpoints, for what its UPDATE returns.

    So a tenant without any costs one look into an index, and no statement more.
    """
    # By its full name: SQLite's RETURNING loses the table, and would find the inner tenant.
    tenant: ColumnElement[str] = literal_column(f"{table.name}.tenant")
    return exists().where(endpoints.c.tenant == tenant).label("subscribed")


def owed_deliveries(connection: Connection, happened: Sequence[Happened]) -> list[dict[str, Any]]:
    """Rows for the deliveries of events: one for each endpoint that wants it, one for its URL.

    An event that nobody wants gets no number. Numbers are a tenant's own, without
    gaps, in the order in which transactions end.
    """
    asked = {one.tenant for one in happened if one.subscribed}
    listening = _endpoints(connection, asked) if asked else {}
    addressed = [(one, _addressees(one, listening.get(one.tenant, ()))) for one in happened]
    wanted = [(one, addressees) for one, addressees in addressed if addressees]
    if not wanted:
        return []
    following = _reserve(connection, Counter(one.tenant for one, _ in wanted))
    rows = []
    for one, addressees in wanted:
        number = following[one.tenant]
        following[one.tenant] += 1
        event_id = new_id("evt")
        data = one.make_data(one.row._mapping)
        body = event_body(event_id, one.event_type, number, one.at, data)
        rows += [
            _row(one.tenant, addressee, event_id, one.event_type, number, body, one.at)
            for addressee in addressees
        ]
    return rows


def trial_delivery(
    connection: Connection, tenant: str, endpoint: tuple[str, str], event_type: str, at: float
) -> dict[str, Any]:
    """Row for a delivery of a test event to one ``endpoint``, its id and URL."""
    number = _reserve(connection, Counter([tenant]))[tenant]
    event_id = new_id("evt")
    body = event_body(event_id, event_type, number, at, sample_data(event_type))
    addressee = (*endpoint, DeliveryState.PENDING)
    return _row(tenant, addressee, event_id, event_type, number, body, at)


def _row(
    tenant: str,
    addressee: Addressee,
    event_id: str,
    event_type: str,
    number: int,
    body: bytes,
    at: float,
) -> dict[str, Any]:
    endpoint_id, url, state = addressee
    return {
        "id": new_id("dlv"),
        "tenant": tenant,
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "sequence": number,
        "url": url,
        "event_type": event_type,
        "body": body,
        "state": state,
        "attempt": 0,
        "fence": 0,
        "finished_at": at if state == DeliveryState.HELD else None,
    }


def _addressees(one: Happened, listening: Sequence[Row[Any]]) -> list[Addressee]:
    found: list[Addressee] = []
    if one.webhook is not None:
        found.append((None, one.webhook, DeliveryState.PENDING))
    if one.subscribed:
        for row in listening:
            if wants(None if row.events is None else orjson.loads(row.events), one.event_type):
                disabled = row.state == EndpointState.DISABLED
                state = DeliveryState.HELD if disabled else DeliveryState.PENDING
                found.append((row.id, row.url, state))
    return found


def _endpoints(connection: Connection, tenants: Collection[str]) -> dict[str, list[Any]]:
    rows = connection.execute(
        select(
            endpoints.c.tenant,
            endpoints.c.id,
            endpoints.c.url,
            endpoints.c.events,
            endpoints.c.state,
        ).where(endpoints.c.tenant.in_(tenants))
    ).all()
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.tenant].append(row)
    return found


def _reserve(connection: Connection, counts: Counter[str]) -> dict[str, int]:
    """First of as many numbers as each tenant needs."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = {}
    for tenant in sorted(counts):  # one order for all, so that they cannot deadlock
        insert = dialect.insert(sequences).values(tenant=tenant, last=counts[tenant])
        last = connection.execute(
            insert.on_conflict_do_update(
                index_elements=["tenant"], set_={"last": sequences.c.last + counts[tenant]}
            ).returning(sequences.c.last)
        ).scalar_one()
        first[tenant] = last - counts[tenant] + 1
    return first
