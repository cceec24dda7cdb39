"""The schema's version: upgrade it, or refuse to run on another one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import String, column, false, inspect, select, table, update

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store import (  # noqa: F401 - their tables are of the same metadata
    batch_tables,
    canvas_tables,
    conversation_tables,
    corpus_tables,
    file_tables,
)
from lepton_tasks.store.database import Database
from lepton_tasks.store.progress import JobProgressRow
from lepton_tasks.store.tables import JobRow

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"


def upgrade_schema(database: Database) -> None:
    """Create the tables or bring them to this release's version.

    Raises:
        StoreUnavailable: the database cannot be used, is newer than this release, or is
            another application's.
    """
    check_upgradable(database)
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


def check_upgradable(database: Database) -> None:
    """Refuse a database that an upgrade could only harm.

    Raises:
        StoreUnavailable: it is newer than this release, or another application's.
    """
    found, wanted = schema_revision(database), release_revision()
    if found is None:
        with database.read() as connection:
            taken = set(inspect(connection).get_table_names()) & _our_tables()
        if taken:
            raise StoreUnavailable(
                f"the database has tables that are called as ours ({', '.join(sorted(taken))}) "
                "and no schema version, so it is another application's, or damaged; name an "
                "empty database, or restore a backup"
            )
    elif not found.isdigit():
        raise StoreUnavailable(
            f"the database is at schema version {found}, which is none of ours, so it is another "
            "application's; name one of its own"
        )
    elif found > wanted:
        raise StoreUnavailable(
            f"the database is at schema version {found}, newer than this release, which needs "
            f"{wanted}; run the release that upgraded it, or a later one"
        )


def _our_tables() -> set[str]:
    return set(JobRow.metadata.tables) | {JobProgressRow.__tablename__}


def check_schema(database: Database) -> None:
    """Refuse a database at another version.

    Raises:
        StoreUnavailable: the database is empty, older or newer than this release, or
            another application's.
    """
    found, wanted = schema_revision(database), release_revision()
    if found != wanted:
        check_upgradable(database)
        state = "has no tables yet" if found is None else f"is at schema version {found}"
        raise StoreUnavailable(
            f"the database {state}, this release needs {wanted}; run `lepton db upgrade`"
        )


def check_writable(database: Database) -> None:
    """Refuse a database that can only be read, before anything relies on it.

    Raises:
        StoreUnavailable: it is read-only, or its user lacks the rights.
    """
    with database.write(durable=False) as connection:
        for table in JobRow.metadata.sorted_tables:
            # Changes no row, and yet asks for the right to.
            column = next(iter(table.c))
            connection.execute(update(table).where(false()).values({column.name: column}))
