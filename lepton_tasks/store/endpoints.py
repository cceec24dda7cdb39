"""Webhook endpoints: a tenant's subscriptions. Every method names the tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from lepton_tasks.errors import Conflict, NotFound
from lepton_tasks.ids import new_id
from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.endpoint_health import hold
from lepton_tasks.store.events import trial_delivery
from lepton_tasks.store.paging import newest_first
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.settle import deliver
from lepton_tasks.store.tables import DeliveryRow, EndpointRow
from lepton_tasks.webhooks.health import DisabledReason
from lepton_tasks.webhooks.signing import secret_hint

endpoints = EndpointRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

OVERLAP_SECONDS: Final = 86_400.0
"""How long the old secret signs too after a rotation."""
MOST_ENDPOINTS: Final = 100
"""Endpoints that one tenant may have."""

_VIEW: Final = [
    endpoints.c[name]
    for name in [
        "id",
        "tenant",
        "url",
        "name",
        "description",
        "events",
        "header_names",
        "rate_limit",
        "secret_hint",
        "rotated_at",
        "old_secret_until",
        "state",
        "failing_since",
        "disabled_reason",
        "created_at",
        "updated_at",
    ]
]


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """A checked endpoint that is not stored yet. ``events`` None means the ordinary ones."""

    url: str
    secret: str = field(repr=False)
    name: str = ""
    description: str = ""
    events: tuple[str, ...] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as its tenant may see it: without its secret, its headers by name."""

    id: str
    tenant: str
    url: str
    name: str
    description: str
    events: tuple[str, ...] | None
    header_names: tuple[str, ...]
    rate_limit: float | None
    secret_hint: str
    rotated_at: float | None
    old_secret_until: float | None
    state: EndpointState
    failing_since: float | None
    disabled_reason: DisabledReason | None
    created_at: float
    updated_at: float


class EndpointStore:
    """The webhook_endpoints table."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    def create(self, tenant: str, new: NewEndpoint) -> Endpoint:
        """Store an endpoint; it gets the events of what ends from now on.

        Raises:
            Conflict: the tenant has as many as it may.
            ConfigError: there is no key to seal the secret with.
        """
        endpoint_id = new_id("ep")
        values = {
            "id": endpoint_id,
            "tenant": tenant,
            "url": new.url,
            "name": new.name,
            "description": new.description,
            "events": _dump_events(new.events),
            "rate_limit": new.rate_limit,
            "secret": self._box.seal(new.secret, endpoint_id),
            "secret_hint": secret_hint(new.secret),
            "state": EndpointState.ACTIVE,
            **self._headers(endpoint_id, new.headers),
        }

        def work(connection: Connection) -> None:
            count = connection.execute(
                select(func.count()).where(endpoints.c.tenant == tenant)
            ).scalar_one()
            if count >= MOST_ENDPOINTS:
                raise Conflict(
                    f"there are {count} webhook endpoints, the most that a tenant may have; "
                    "delete one first",
                    "too_many_endpoints",
                )
            connection.execute(
                endpoints.insert().values(**values, created_at=now(), updated_at=now())
            )

        self._database.transact(work)
        return self.get(tenant, endpoint_id)

    def get(self, tenant: str, endpoint_id: str) -> Endpoint:
        """Read an endpoint.

        Raises:
            NotFound: the tenant has no such endpoint.
        """
        with self._database.read() as connection:
            row = connection.execute(select(*_VIEW).where(_mine(tenant, endpoint_id))).first()
        if row is None:
            raise _missing(endpoint_id)
        return _view(row)

    def page(self, tenant: str, *, after: str | None = None, limit: int = 20) -> list[Endpoint]:
        """Page through a tenant's endpoints, newest first, beginning after ``after``.

        Raises:
            NotFound: ``after`` is no endpoint of this tenant.
        """
        query = select(*_VIEW).where(endpoints.c.tenant == tenant)
        last = None if after is None else self.get(tenant, after)
        with self._database.read() as connection:
            rows = connection.execute(newest_first(query, endpoints, last, limit)).all()
        return [_view(row) for row in rows]

    def change(self, tenant: str, endpoint_id: str, changes: Mapping[str, Any]) -> Endpoint:
        """Change fields of :class:`NewEndpoint` but the secret; a new URL gets what waits too.

        Raises:
            NotFound: the tenant has no such endpoint.
        """
        values = dict(changes)
        if "events" in values:
            values["events"] = _dump_events(values["events"])
        if "headers" in values:
            values |= self._headers(endpoint_id, values["headers"])

        def work(connection: Connection) -> None:
            self._update(connection, tenant, endpoint_id, values)
            if "url" in values:
                connection.execute(
                    update(deliveries)
                    .where(
                        deliveries.c.endpoint_id == endpoint_id,
                        deliveries.c.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
                    )
                    .values(url=values["url"])
                )

        if values:
            self._database.transact(work)
        return self.get(tenant, endpoint_id)

    def rotate(
        self, tenant: str, endpoint_id: str, secret: str, overlap: float = OVERLAP_SECONDS
    ) -> Endpoint:
        """Sign with ``secret`` from now on, and with the one before for ``overlap`` seconds too.

        Raises:
            NotFound: the tenant has no such endpoint.
            ConfigError: there is no key to seal the secret with.
        """
        values = {
            "old_secret": endpoints.c.secret,
            "old_secret_until": now() + overlap,
            "secret": self._box.seal(secret, endpoint_id),
            "secret_hint": secret_hint(secret),
            "rotated_at": now(),
        }
        if overlap <= 0:
            values |= {"old_secret": None, "old_secret_until": None}
        self._database.transact(
            lambda connection: self._update(connection, tenant, endpoint_id, values)
        )
        return self.get(tenant, endpoint_id)

    def disable(self, tenant: str, endpoint_id: str) -> Endpoint:
        """Send nothing there; what waits and what comes is held.

        Raises:
            NotFound: the tenant has no such endpoint.
        """
        values = {
            "state": EndpointState.DISABLED,
            "disabled_reason": DisabledReason.BY_TENANT,
            "failing_since": None,
        }

        def work(connection: Connection) -> None:
            self._update(connection, tenant, endpoint_id, values)
            hold(connection, endpoint_id)

        self._database.transact(work)
        return self.get(tenant, endpoint_id)

    def enable(self, tenant: str, endpoint_id: str) -> Endpoint:
        """Send again what happens from now on; what was held waits for a replay.

        Raises:
            NotFound: the tenant has no such endpoint.
        """
        values = {"state": EndpointState.ACTIVE, "disabled_reason": None, "failing_since": None}
        self._database.transact(
            lambda connection: self._update(connection, tenant, endpoint_id, values)
        )
        return self.get(tenant, endpoint_id)

    def delete(self, tenant: str, endpoint_id: str) -> None:
        """Forget an endpoint and its secrets; its open deliveries are cancelled.

        Raises:
            NotFound: the tenant has no such endpoint.
        """

        def work(connection: Connection) -> None:
            gone = connection.execute(
                endpoints.delete().where(_mine(tenant, endpoint_id)).returning(endpoints.c.id)
            ).first()
            if gone is None:
                raise _missing(endpoint_id)
            connection.execute(
                update(deliveries)
                .where(
                    deliveries.c.endpoint_id == endpoint_id,
                    deliveries.c.state.in_((DeliveryState.PENDING, DeliveryState.HELD)),
                )
                .values(state=DeliveryState.CANCELLED, finished_at=now())
            )

        self._database.transact(work)

    def send_test(self, tenant: str, endpoint_id: str, event_type: str) -> str:
        """Owe an endpoint a test event, whatever its filter; returns the delivery's id.

        Raises:
            NotFound: the tenant has no such endpoint.
            Conflict: it is disabled.
        """
        endpoint = self.get(tenant, endpoint_id)
        if endpoint.state == EndpointState.DISABLED:
            raise Conflict(f"webhook endpoint {endpoint_id} is disabled", "endpoint_disabled")

        def work(connection: Connection) -> str:
            clock = connection.execute(select(now())).scalar_one()
            row = trial_delivery(connection, tenant, (endpoint_id, endpoint.url), event_type, clock)
            deliver(connection, [row])
            return str(row["id"])

        return self._database.transact(work)

    def check_key(self) -> None:
        """Find out at a start whether the key here opens what the database holds.

        Raises:
            ConfigError: it does not; nothing could be signed.
        """
        with self._database.read() as connection:
            row = connection.execute(select(endpoints.c.id, endpoints.c.secret).limit(1)).first()
        if row is not None:
            self._box.open(row.secret, row.id)

    def _headers(self, endpoint_id: str, headers: Mapping[str, str]) -> dict[str, Any]:
        text = orjson.dumps(dict(headers)).decode()
        return {
            "headers": self._box.seal(text, endpoint_id) if headers else None,
            "header_names": orjson.dumps(list(headers)).decode(),
        }

    def _update(
        self, connection: Connection, tenant: str, endpoint_id: str, values: Mapping[str, Any]
    ) -> None:
        changed = connection.execute(
            update(endpoints)
            .where(_mine(tenant, endpoint_id))
            .values(**values, updated_at=now())
            .returning(endpoints.c.id)
        ).first()
        if changed is None:
            raise _missing(endpoint_id)


def _mine(tenant: str, endpoint_id: str) -> ColumnElement[bool]:
    return and_(endpoints.c.tenant == tenant, endpoints.c.id == endpoint_id)


def _missing(endpoint_id: str) -> NotFound:
    return NotFound(f"no webhook endpoint {endpoint_id}")


def _dump_events(events: Sequence[str] | None) -> str | None:
    return None if events is None else orjson.dumps(list(events)).decode()


def _view(row: Row[Any]) -> Endpoint:
    fields = dict(row._mapping)
    events = fields["events"]
    fields["events"] = None if events is None else tuple(orjson.loads(events))
    fields["header_names"] = tuple(orjson.loads(fields["header_names"]))
    fields["state"] = EndpointState(fields["state"])
    reason = fields["disabled_reason"]
    fields["disabled_reason"] = None if reason is None else DisabledReason(reason)
    return Endpoint(**fields)
