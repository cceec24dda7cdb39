"""The schema's version: upgrade it, or refuse to run on another one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import String, column, inspect, select, table

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.database import Database

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"


def upgrade_schema(database: Database) -> None:
    """Create the tables or bring them to this release's version."""
    # Imported for this alone: every process checks the version, and few ever upgrade.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_revision(database: Database) -> str | None:
    """Revision that the database is at; None for an empty database."""
    with database.read() as connection:
        if not inspect(connection).has_table(_VERSION_TABLE):
            return None
        query = select(column("version_num", String)).select_from(table(_VERSION_TABLE))
        found: str | None = connection.execute(query).scalar_one_or_none()
        return found


def release_revision() -> str:
    """Revision that this release needs: its last migration, whose file the revision begins.

    >>> release_revision().isdigit()
    True
    """
    return max(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("0*.py"))


def check_schema(database: Database) -> None:
    """Refuse a database at another version.

    Raises:
        StoreUnavailable: the database is empty, older or newer than this release.
    """
    found, wanted = schema_revision(database), release_revision()
    if found != wanted:
        state = "has no tables yet" if found is None else f"is at schema version {found}"
        raise StoreUnavailable(
            f"the database {state}, this release needs {wanted}; run `lepton db upgrade`"
        )
