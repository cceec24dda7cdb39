"""What the two databases have in common, and what a wrong URL says."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from lepton_tasks.errors import ConfigError, StoreUnavailable
from lepton_tasks.store import database as database_module
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


def test_what_was_not_waited_for_can_be_flushed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite by its log; PostgreSQL has no such thing, and says so."""
    flushed: list[str] = []

    def flush(file: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        os.fdatasync(file)

    monkeypatch.setattr(database_module, "_flush_file", flush)
    with store.database.write(durable=False) as connection:
        connection.execute(text("INSERT INTO markers VALUES ('a', 'b')"))
    store.database.flush()
    files = [f"{store.database.engine.url.database}-wal"] if store.database.can_flush else []
    assert flushed == files
    assert store.database.can_flush == (store.database.dialect == "sqlite")


def test_a_database_without_a_log_has_nothing_to_flush(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE some (id)"))
    database.close()
    assert list(tmp_path.iterdir()) == [tmp_path / "store.db"]
    database.flush()


def test_the_log_is_found_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    database = Database(f"sqlite:///{tmp_path / 'link' / 'store.db'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE some (id)"))
    assert (tmp_path / "disk" / "store.db-wal").exists()
    database.flush()
    database.close()


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE some (id)"))
    monkeypatch.setattr(database_module, "_flush_file", fail)
    with pytest.raises(StoreUnavailable, match="could not be flushed"):
        database.flush()
    database.close()
