from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from lepton_tasks.cli.keys import app
from lepton_tasks.errors import InvalidInput, NotFound, StoreUnavailable
from lepton_tasks.store.store import Store
from tests.support.cli import run_command

pytestmark = pytest.mark.usefixtures("home")

run = partial(run_command, app)


def test_a_created_key_works_until_it_is_revoked(store: Store) -> None:
    key = run("create", "--tenant", "acme", "--name", "审核后台").stdout.strip()
    assert key.startswith("lpt_")
    assert store.keys.tenant_of(key) == "acme"

    listed = run("list").stdout
    key_id = listed.split("\t")[0]
    assert key[:10] in listed
    assert key not in listed
    assert "active" in listed
    assert "审核后台" in listed

    run("revoke", key_id)
    assert store.keys.tenant_of(key) is None
    assert "revoked 20" in run("list").stdout
    with pytest.raises(NotFound):
        run("revoke", key_id)


def test_the_webhook_secret_is_shown_on_request(store: Store) -> None:
    key, secret = run("create", "--tenant", "acme", "--show-webhook-secret").stdout.split()
    assert store.keys.tenant_of(key) == "acme"
    assert secret == store.keys.webhook_secret("acme")
    assert run("webhook-secret", "--tenant", "acme").stdout.strip() == secret
    assert run("webhook-secret").stdout.strip() != secret


def test_the_list_can_be_narrowed_to_a_tenant() -> None:
    run("create", "--tenant", "acme")
    run("create", "--tenant", "other")
    assert run("list", "--tenant", "other").stdout.count("lpt_") == 1
    assert "no keys" in run("list", "--tenant", "nobody").stderr


@pytest.mark.parametrize("tenant", ["", "  ", "a\nb", "x" * 65])
def test_a_tenant_without_a_proper_name_is_refused(tenant: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        run("create", "--tenant", tenant)
    assert refusal.value.param == "--tenant"


def test_a_database_without_tables_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_DATABASE_URL", f"sqlite:///{home}/empty.db")
    with pytest.raises(StoreUnavailable, match="lepton db upgrade"):
        run("create")
