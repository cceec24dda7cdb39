"""``lepton db``: the schema of the store."""

from __future__ import annotations

import typer

from lepton_tasks.settings import load_settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import check_schema, schema_revision, upgrade_schema

app = typer.Typer(help="Create or upgrade the tables of the store.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database of LEPTON_DATABASE_URL to this release's schema.

    Safe to run again, and while workers of the same release run.
    """
    database = Database(load_settings().store_url)
    upgrade_schema(database)
    typer.echo(f"the database is at schema version {schema_revision(database)}")


@app.command()
def check() -> None:
    """Say whether the database is at this release's schema; exit 1 if it is not."""
    database = Database(load_settings().store_url)
    check_schema(database)
    typer.echo(f"schema version {schema_revision(database)}: fits this release")
