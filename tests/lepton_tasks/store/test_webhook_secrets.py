"""A tenant's own webhook secret: made once, sealed where there is a key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from lepton_tasks.errors import ConfigError
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.store import Store
from tests.support.endpoints import HOOK
from tests.support.sending import owe, state_of


def stored(store: Store) -> str:
    with store.database.read() as connection:
        query = text("SELECT webhook_secret FROM tenants WHERE id = 'acme'")
        return str(connection.execute(query).scalar_one())


def test_it_is_made_on_first_use_and_sealed(quick_store: Store) -> None:
    quick_store.keys.create("acme", "k")
    assert stored(quick_store) == ""
    with ThreadPoolExecutor(4) as threads:
        secrets = set(threads.map(quick_store.keys.webhook_secret, ["acme"] * 8))
    [secret] = secrets
    assert secret.startswith("whsec_")
    assert secret.removeprefix("whsec_") not in stored(quick_store)
    assert quick_store.keys.webhook_secret("other") != secret


def test_one_in_the_clear_is_sealed_when_a_key_comes(quick_store: Store) -> None:
    keyless = Store(quick_store.database)
    secret = keyless.keys.webhook_secret("acme")
    assert stored(quick_store) == secret
    assert keyless.keys.webhook_secret("acme") == secret
    assert quick_store.keys.webhook_secret("acme") == secret
    assert "whsec_" not in stored(quick_store)
    with pytest.raises(ConfigError, match="LEPTON_SECRET_KEY"):
        keyless.keys.webhook_secret("acme")


def test_a_delivery_waits_for_the_key_of_its_secret(
    quick_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    quick_store.keys.webhook_secret("acme")
    mine, theirs = owe(quick_store, HOOK), owe(quick_store, HOOK, "other")
    stranger = Store(quick_store.database, SecretBox("A" * 43 + "="))
    assert [one.id for one in stranger.deliveries.claim_due(9, 60.0)] == [theirs]
    assert state_of(quick_store, mine) == "pending"
    assert "webhooks of tenant acme wait" in caplog.text
