"""A key is worth what its tenant is, until it is revoked; the store keeps nothing to steal."""

from __future__ import annotations

import base64
import threading

import pytest
from sqlalchemy import func, select, update

from lepton_tasks.errors import NotFound
from lepton_tasks.store.keys import SHOWN_CHARACTERS
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import ApiKeyRow, TenantRow

keys = ApiKeyRow.__table__  # type: ignore[attr-defined]
tenants = TenantRow.__table__  # type: ignore[attr-defined]


def test_a_key_leads_to_its_tenant_and_no_other(quick_store: Store) -> None:
    made = {quick_store.keys.create(tenant, "前台") for tenant in ("acme", "acme", "租户")}
    assert len(made) == 3
    found = sorted(str(quick_store.keys.tenant_of(key)) for key in made)
    assert found == ["acme", "acme", "租户"]


@pytest.mark.parametrize("change", ["", "x", "lpt_", "好", "lpt_\udcff", "lpt_" + "a" * 10_000])
def test_what_is_no_key_has_no_tenant(quick_store: Store, change: str) -> None:
    quick_store.keys.create("acme", "one")
    assert quick_store.keys.tenant_of(change) is None


def test_a_key_is_not_known_by_a_part_of_it(quick_store: Store) -> None:
    key = quick_store.keys.create("acme", "one")
    for other in (key[:-1], key + "=", key.upper(), key.removeprefix("lpt_"), f" {key}"):
        assert quick_store.keys.tenant_of(other) is None


def test_nothing_stored_is_the_key(quick_store: Store) -> None:
    key = quick_store.keys.create("acme", "one")
    with quick_store.database.read() as connection:
        [row] = connection.execute(select(keys)).all()
    held = [value for value in row if isinstance(value, str)]
    assert not any(key in value or key.removeprefix("lpt_") in value for value in held)
    assert row.prefix == key[:SHOWN_CHARACTERS]
    [listed] = quick_store.keys.all()
    assert key not in repr(listed) and row.hash not in repr(listed)


def test_keys_are_listed_oldest_first_and_by_tenant(quick_store: Store) -> None:
    for number in range(12):
        quick_store.keys.create("acme" if number % 3 else "other", f"第 {number} 个")
    listed = quick_store.keys.all()
    assert [key.name for key in listed] == [f"第 {number} 个" for number in range(12)]
    assert [key.name for key in quick_store.keys.all("other")] == [
        f"第 {number} 个" for number in (0, 3, 6, 9)
    ]
    assert quick_store.keys.all("nobody") == []
    assert {key.revoked_at for key in listed} == {None}


def test_keys_of_one_moment_keep_their_order(quick_store: Store) -> None:
    for number in range(5):
        quick_store.keys.create("acme", str(number))
    made = quick_store.keys.all()
    for key in reversed(made):
        with quick_store.database.write() as connection:
            connection.execute(update(keys).where(keys.c.id == key.id).values(created_at=1.0))
    assert [key.id for key in quick_store.keys.all()] == [key.id for key in made]


def test_revoking_ends_one_key_once(quick_store: Store) -> None:
    first, second = (quick_store.keys.create("acme", name) for name in ("one", "two"))
    one, two = quick_store.keys.all()
    quick_store.keys.revoke(one.id)
    assert quick_store.keys.tenant_of(first) is None
    assert quick_store.keys.tenant_of(second) == "acme"
    revoked = quick_store.keys.all()[0].revoked_at
    assert revoked is not None and revoked >= one.created_at
    for key_id in (one.id, "key_none", ""):
        with pytest.raises(NotFound, match="see `lepton keys list`"):
            quick_store.keys.revoke(key_id)
    assert [key.revoked_at for key in quick_store.keys.all()] == [revoked, None]
    assert two.revoked_at is None


def test_a_tenant_keeps_one_webhook_secret(quick_store: Store) -> None:
    first = quick_store.keys.webhook_secret("acme")
    quick_store.keys.create("acme", "one")
    assert quick_store.keys.webhook_secret("acme") == first
    assert quick_store.keys.webhook_secret("other") != first
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_callers_at_once_agree_on_a_new_tenants_secret(quick_store: Store) -> None:
    secrets: list[str] = []
    gate = threading.Barrier(6)

    def ask() -> None:
        gate.wait()
        secrets.append(quick_store.keys.webhook_secret("新租户"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 6 and len(set(secrets)) == 1
    with quick_store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tenants)).scalar_one() == 1
