"""The demonstration itself is ``make demo``; here, that it can be repeated after an update."""

from __future__ import annotations

from pathlib import Path

from lepton_tasks.samples.demo import _upgrade
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.store import open_store
from tests.lepton_tasks.store.test_migrations import migrate


def test_a_database_of_an_earlier_release_is_brought_along(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    database = Database(settings.store_url)
    migrate(database, "head")
    migrate(database, "0003")
    database.close()
    _upgrade(settings)
    open_store(settings).close()
