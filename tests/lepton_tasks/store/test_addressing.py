"""Of one fetch each delivery goes where it belongs, and none holds up its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Connection, select, update

from lepton_tasks.errors import ConfigError
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.addressing import CLAIMED, NO_KEY_PAUSE, Delivery, address, deliveries
from lepton_tasks.store.database import now
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.signing import new_secret
from tests.support.endpoints import HOOK, TEST_KEY, forget_overlap, subscribe
from tests.support.sending import owe

STRANGERS_KEY = "A" * 43 + "="
OWN = "whsec_of_the_tenant"


def own_secret(connection: Connection, tenant: str) -> str:
    return OWN


def addressed(
    store: Store,
    ids: Sequence[str],
    key: str = TEST_KEY,
    secret_of: Callable[[Connection, str], str] = own_secret,
) -> dict[str, Delivery]:
    """Claim deliveries as a sender does, and complete what can be sent."""
    with store.database.write(durable=False) as connection:
        mine = deliveries.c.id.in_(ids)
        sending = {"state": DeliveryState.SENDING, "attempt": 1, "next_at": now() + 600}
        connection.execute(update(deliveries).where(mine).values(**sending))
        rows = connection.execute(select(*CLAIMED).where(mine)).all()
        return {one.id: one for one in address(connection, rows, SecretBox(key), secret_of)}


def states(store: Store, ids: Sequence[str]) -> list[tuple[str, int]]:
    """State and counted attempts of each."""
    with store.database.read() as connection:
        rows = connection.execute(
            select(deliveries.c.id, deliveries.c.state, deliveries.c.attempt)
        ).all()
    found = {row.id: (str(row.state), row.attempt) for row in rows}
    return [found[delivery_id] for delivery_id in ids]


def test_each_of_a_fetch_goes_where_it_belongs(quick_store: Store) -> None:
    active, disabled, deleted = (subscribe(quick_store, f"{HOOK}/{n}") for n in range(3))
    quick_store.endpoints.disable("acme", disabled.id)
    endpoints = [active.id, disabled.id, deleted.id, None]
    ids = [owe(quick_store, HOOK, endpoint_id=one) for one in endpoints]
    quick_store.endpoints.delete("acme", deleted.id)
    found = addressed(quick_store, ids)
    assert found.keys() == {ids[0], ids[3]}
    assert found[ids[3]].secrets == (OWN,)
    assert [found[one].endpoint_id for one in (ids[0], ids[3])] == [active.id, None]
    assert states(quick_store, ids) == [
        ("sending", 1),
        ("held", 0),
        ("cancelled", 0),
        ("sending", 1),
    ]


def test_what_the_tenant_set_comes_along(quick_store: Store) -> None:
    secret = new_secret()
    endpoint = subscribe(
        quick_store, secret=secret, headers={"authorization": "Bearer 密"}, rate_limit=2.5
    )
    [found] = addressed(quick_store, [owe(quick_store, HOOK, endpoint_id=endpoint.id)]).values()
    assert (found.secrets, found.rate_limit) == ((secret,), 2.5)
    assert found.headers == {"authorization": "Bearer 密"}
    assert (found.url, found.attempt, found.tenant) == (HOOK, 1, "acme")
    shown = repr(found)
    assert secret not in shown and "Bearer" not in shown


def test_both_secrets_sign_for_a_day_after_a_rotation(quick_store: Store) -> None:
    old, fresh = new_secret(), new_secret()
    endpoint = subscribe(quick_store, secret=old)
    delivery = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    quick_store.endpoints.rotate("acme", endpoint.id, fresh)
    assert addressed(quick_store, [delivery])[delivery].secrets == (fresh, old)
    forget_overlap(quick_store, endpoint.id)
    assert addressed(quick_store, [delivery])[delivery].secrets == (fresh,)


def test_what_cannot_be_opened_waits_and_costs_no_attempt(
    quick_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def no_key(connection: Connection, tenant: str) -> str:
        if tenant == "acme":
            raise ConfigError("webhook secrets need LEPTON_SECRET_KEY")
        return OWN

    endpoint = subscribe(quick_store)
    sealed = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    own, others = owe(quick_store, HOOK), owe(quick_store, HOOK, "other")
    ids = [sealed, own, others]
    assert list(addressed(quick_store, ids, STRANGERS_KEY, no_key)) == [others]
    assert states(quick_store, ids) == [("pending", 0), ("pending", 0), ("sending", 1)]
    with quick_store.database.read() as connection:
        waits = connection.execute(
            select(deliveries.c.next_at - now()).where(deliveries.c.id.in_([sealed, own]))
        ).scalars()
        assert all(0 < wait <= NO_KEY_PAUSE for wait in waits)
    assert f"webhooks of endpoint {endpoint.id} wait" in caplog.text
    assert "webhooks of tenant acme wait" in caplog.text


def test_a_disabled_endpoints_secret_is_not_looked_at(
    quick_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = subscribe(quick_store)
    delivery = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    quick_store.endpoints.disable("acme", endpoint.id)
    assert addressed(quick_store, [delivery], STRANGERS_KEY) == {}
    assert states(quick_store, [delivery]) == [("held", 0)]
    assert caplog.text == ""


def test_a_tenants_own_secret_is_asked_for_once_a_fetch(quick_store: Store) -> None:
    asked: list[str] = []

    def secret_of(connection: Connection, tenant: str) -> str:
        asked.append(tenant)
        return OWN

    ids = [owe(quick_store, HOOK, tenant) for tenant in ("acme", "other", "acme", "acme")]
    assert len(addressed(quick_store, ids, secret_of=secret_of)) == 4
    assert asked == ["acme", "other"]
