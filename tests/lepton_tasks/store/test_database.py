"""What the two databases have in common, and what a wrong URL says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from lepton_tasks.errors import ConfigError, StoreUnavailable
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.store import Store


def test_the_databases_clock_is_unix_time(store: Store) -> None:
    with store.database.read() as connection:
        clock = connection.execute(select(now())).scalar_one()
    assert abs(clock - time.time()) < 5


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.database.write() as connection:
        connection.execute(text("INSERT INTO markers VALUES ('a', 'b')"))
        raise RuntimeError
    assert store.outbox.marker("a", "fresh") == "fresh"


def test_an_error_never_quotes_the_parameters(store: Store) -> None:
    with pytest.raises(IntegrityError) as caught, store.database.write() as connection:
        statement = text("INSERT INTO markers VALUES ('a', :value)")
        connection.execute(statement, {"value": "one secret"})
        connection.execute(statement, {"value": "one secret"})
    assert "one secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"]
)
def test_a_wrong_url_names_the_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="LEPTON_DATABASE_URL"):
        Database(url)


def test_an_unwritable_file_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        Database(f"sqlite:///{blocker}/store.db")


def test_only_a_durable_transaction_waits_for_the_disk(store: Store) -> None:
    sqlite = store.database.dialect == "sqlite"
    question = "PRAGMA synchronous" if sqlite else "SHOW synchronous_commit"
    levels = []
    for durable in (True, False, True):
        with store.database.write(durable) as connection:
            levels.append(str(connection.exec_driver_sql(question).scalar_one()))
    assert levels == (["2", "1", "2"] if sqlite else ["on", "off", "on"])
