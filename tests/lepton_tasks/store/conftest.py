"""One store of each kind for many tests: it is emptied between them, not made anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow
from tests.support.endpoints import TEST_KEY
from tests.support.postgres import TestPostgres


def empty(store: Store) -> None:
    """Delete all rows."""
    with store.database.write(durable=False) as connection:
        for table in reversed(JobRow.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def kept_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store that outlives a test; use ``quick_store``."""
    url = f"sqlite:///{tmp_path_factory.mktemp('kept') / 'store.db'}"
    if request.param == "postgresql":
        server: TestPostgres = request.getfixturevalue("postgres")
        url = server.fresh_database()
    database = Database(url)
    upgrade_schema(database)
    store = Store(database, SecretBox(TEST_KEY))
    yield store
    store.close()


@pytest.fixture
def quick_store(kept_store: Store) -> Store:
    """An empty store, on SQLite and on PostgreSQL, within milliseconds."""
    empty(kept_store)
    return kept_store
