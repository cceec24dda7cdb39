"""``lepton db``: the schema is brought up to date, or what is wrong with it is said."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from lepton_tasks.cli.db import app
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import release_revision
from lepton_tasks.store.store import open_store
from tests.support.cli import run_command

pytestmark = pytest.mark.usefixtures("home")

run = partial(run_command, app)


@pytest.fixture
def named(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database that an operator named."""
    monkeypatch.setenv("LEPTON_DATABASE_URL", database_url)
    return database_url


def test_an_empty_database_is_refused_until_it_is_upgraded(named: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"has no tables yet.*lepton db upgrade"):
        run("check")
    for _ in range(2):
        result = run("upgrade")
        assert result.exit_code == 0
        assert result.stdout == f"the database is at schema version {release_revision()}\n"
    assert run("check").stdout == f"schema version {release_revision()}: fits this release\n"
    open_store(Settings(database_url=named)).close()


def test_upgrading_keeps_what_is_stored(named: str) -> None:
    run("upgrade")
    store = open_store(Settings(database_url=named))
    key = store.keys.create("acme", "前台")
    run("upgrade")
    assert store.keys.tenant_of(key) == "acme"
    store.close()


@pytest.mark.parametrize("version", ["0001", "9999"])
def test_another_version_is_named(named: str, version: str) -> None:
    run("upgrade")
    database = Database(named)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    database.close()
    with pytest.raises(StoreUnavailable, match=f"is at schema version {version}"):
        run("check")


def test_without_a_url_it_is_the_database_of_the_home(home: Path) -> None:
    home.mkdir()
    assert run("upgrade").exit_code == 0
    assert (home / "lepton.db").stat().st_size > 0


def test_a_bare_command_shows_what_there_is() -> None:
    output = CliRunner().invoke(app, []).output
    assert "upgrade" in output and "check" in output
