"""Migrations of a database that is in use: what is there stays, both ways."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

import lepton_tasks.store.schema
from lepton_tasks.store.database import Database

DELIVERY = (
    "INSERT INTO deliveries (id, tenant, url, event_type, body, state, attempt, fence, "
    "next_at, created_at) VALUES ('evt_1', 'acme', 'https://a.test', 'job.succeeded', "
    "'{}', 'pending', 2, 2, 0, 0)"
)
ATTEMPTS = (
    "INSERT INTO delivery_attempts (delivery_id, attempt, at, seconds, status, error) "
    "VALUES ('evt_1', 1, 0, 0.5, 500, 'status 500'), ('evt_1', 2, 0, 0.5, NULL, '坏了')"
)


def migrate(database: Database, revision: str) -> None:
    config = Config()
    folder = Path(lepton_tasks.store.schema.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    move = command.downgrade if revision < "0005" else command.upgrade
    with database.write() as connection:
        config.attributes["connection"] = connection
        move(config, revision)


def test_deliveries_get_an_event_and_attempts_a_round(database_url: str) -> None:
    database = Database(database_url)
    migrate(database, "head")
    migrate(database, "0003")
    with database.write() as connection:
        connection.execute(text(DELIVERY))
        connection.execute(text(ATTEMPTS))
    migrate(database, "head")
    with database.read() as connection:
        [delivery] = connection.execute(
            text("SELECT event_id, sequence, round, endpoint_id, lane FROM deliveries")
        ).all()
        attempts = connection.execute(
            text("SELECT round, attempt, status, error FROM delivery_attempts ORDER BY attempt")
        ).all()
    assert tuple(delivery) == ("evt_1", 0, 1, None, "a.test")
    assert [tuple(row) for row in attempts] == [(1, 1, 500, "status 500"), (1, 2, None, "坏了")]
    migrate(database, "0003")
    with database.read() as connection:
        count = connection.execute(text("SELECT count(*) FROM delivery_attempts")).scalar()
    assert count == 2
    database.close()
