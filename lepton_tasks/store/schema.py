"""The schema's version: upgrade it, or refuse to run on another one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.database import Database


def upgrade_schema(database: Database) -> None:
    """Create the tables or bring them to this release's version."""
    config = _config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_revision(database: Database) -> str | None:
    """Revision that the database is at; None for an empty database."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_schema(database: Database) -> None:
    """Refuse a database at another version.

    Raises:
        StoreUnavailable: the database is empty, older or newer than this release.
    """
    found = schema_revision(database)
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    if found != wanted:
        state = "has no tables yet" if found is None else f"is at schema version {found}"
        raise StoreUnavailable(
            f"the database {state}, this release needs {wanted}; run `lepton db upgrade`"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
