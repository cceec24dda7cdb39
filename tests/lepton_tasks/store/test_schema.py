"""The migrations make exactly the tables that the code uses; another version is refused."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import (
    check_schema,
    release_revision,
    schema_revision,
    upgrade_schema,
)
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.store.tables import JobRow


def test_migrations_and_tables_agree(store: Store) -> None:
    with store.database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, JobRow.metadata) == []


def test_the_last_migration_is_the_one_that_its_file_names(store: Store) -> None:
    assert schema_revision(store.database) == release_revision()
    with store.database.read() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == release_revision()


def test_upgrade_is_repeatable(store: Store) -> None:
    before = schema_revision(store.database)
    upgrade_schema(store.database)
    assert schema_revision(store.database) == before


def test_an_empty_named_database_is_refused_with_the_command(database_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="lepton db upgrade"):
        open_store(Settings(database_url=database_url))


def test_a_newer_schema_is_refused(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match="9999"):
        check_schema(store.database)


def test_the_embedded_file_is_made_on_first_use(settings: Settings) -> None:
    opened = open_store(settings)
    assert opened.jobs.find("t", ["none"]) == []
    file = settings.home / "lepton.db"
    assert file.stat().st_mode & 0o077 == 0
    opened.close()


def test_a_database_that_is_away_is_named() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
        check_schema(database)
