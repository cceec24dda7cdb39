"""Connections to the store: SQLite (WAL) or PostgreSQL behind the same two verbs."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Double, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from lepton_tasks.errors import ConfigError, StoreUnavailable

T = TypeVar("T")

SQLITE_MINIMUM = (3, 35)
_TRANSIENT_SQLSTATES = frozenset({"40001", "40P01"})
_ATTEMPTS = 6
_flush_file: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)
_BUSY_MILLISECONDS = 30_000


class now(FunctionElement[float]):
    """The database's clock in Unix seconds: leases and schedules never use a host's clock."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _sqlite_now(element: now, compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _postgresql_now(element: now, compiler: Any, **_: Any) -> str:
    # A subquery is evaluated once a statement: rows agree on the time, and an index can serve it.
    return "(SELECT extract(epoch from clock_timestamp())::double precision)"


class Database:
    """An engine and its two kinds of transaction."""

    def __init__(self, url: str) -> None:
        """Open ``url`` lazily.

        Raises:
            ConfigError: the URL does not parse or names an unsupported database.
        """
        try:
            parsed = make_url(url)
            dialect = parsed.get_backend_name()
        except ArgumentError as error:
            raise ConfigError(
                "LEPTON_DATABASE_URL is not a database URL; "
                "use sqlite:////path/lepton.db or postgresql://user:password@host/name"
            ) from error
        if dialect == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigError(
                    "LEPTON_DATABASE_URL: SQLite needs a file; other processes read it"
                )
            _make_private(Path(parsed.database))
            arguments: dict[str, Any] = {"connect_args": {"timeout": 30.0}}
        elif dialect == "postgresql":
            arguments = {
                "pool_pre_ping": True,
                "pool_size": 8,
                "max_overflow": 24,
                "connect_args": {"connect_timeout": 5},
            }
        else:
            raise ConfigError(
                f"LEPTON_DATABASE_URL: {dialect} is not supported; use SQLite or PostgreSQL"
            )
        try:
            # hide_parameters: an exception must never quote a user's text.
            self.engine: Engine = create_engine(parsed, hide_parameters=True, **arguments)
        except NoSuchModuleError as error:
            raise ConfigError(f"LEPTON_DATABASE_URL: no such driver: {error}") from error
        self.dialect = dialect
        self._log: str | None = None
        if dialect == "sqlite":
            # Named after the file itself, whatever link leads there.
            self._log = f"{os.path.realpath(str(parsed.database))}-wal"
            event.listen(self.engine, "connect", _tune_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run reads; sees one snapshot on SQLite, committed rows on PostgreSQL."""
        with self._reachable(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[Connection]:
        """Run one write transaction: commits at the end, rolls back on an error.

        One that is not ``durable`` commits without waiting for the disk: a power cut or
        a crash of the database server may undo it, the death of this process may not.
        For what is repaired anyway when it is lost, such as a claim or a lease, and for
        what :meth:`flush` makes durable before anybody is told.
        """
        with self._reachable(), self.engine.connect() as connection:
            connection = connection.execution_options(lepton_write=True, lepton_durable=durable)
            with connection.begin():
                if not durable and self.dialect == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection

    def transact(self, work: Callable[[Connection], T], durable: bool = True) -> T:
        """Run ``work`` in a write transaction, again after a deadlock or a busy database.

        ``durable`` is that of :meth:`write`.

        Raises:
            StoreUnavailable: the database cannot be used, or stayed busy.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self.write(durable) as connection:
                    return work(connection)
            except DBAPIError as error:
                if not _is_transient(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311
        raise StoreUnavailable(f"the database stayed busy through {_ATTEMPTS} attempts")

    @property
    def can_flush(self) -> bool:
        """Whether :meth:`flush` makes durable what was committed without waiting for the disk."""
        return self._log is not None

    def flush(self) -> None:
        """Wait until all that was committed, by any process, is on the disk.

        On SQLite, whose log is a file; elsewhere nothing happens (:attr:`can_flush`).

        Raises:
            StoreUnavailable: the disk failed; it is not known what a power cut would leave.
        """
        if self._log is None:
            return
        try:
            log = os.open(self._log, os.O_RDONLY)
        except FileNotFoundError:
            return  # all of it is in the database, which SQLite flushed before it took the log away
        except OSError as error:
            raise self._not_flushed(error) from error
        try:
            _flush_file(log)
        except OSError as error:
            raise self._not_flushed(error) from error
        finally:
            os.close(log)

    def _not_flushed(self, error: OSError) -> StoreUnavailable:
        return self._unavailable(
            f"its log could not be flushed ({error.strerror}); it is not known what was stored"
        )

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            if _is_transient(error):
                raise
            raise self._unavailable(str(error.orig).strip().splitlines()[0]) from error
        except DBAPIError as error:
            if (reason := _unusable(error)) is None:
                raise
            raise self._unavailable(reason) from error
        except PoolTimeout as error:
            raise self._unavailable("all connections are in use") from error

    def _unavailable(self, reason: str) -> StoreUnavailable:
        address = self.engine.url.render_as_string(hide_password=True)
        return StoreUnavailable(f"the database at {address} cannot be used: {reason}")

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, unless somebody reads: it keeps what was deleted."""
        if self.dialect != "sqlite":
            return
        with self._reachable(), contextlib.closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=0")
            try:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
                cursor.close()

    def close(self) -> None:
        """Close pooled connections."""
        self.engine.dispose()

    def leave_to_parent(self) -> None:
        """Forget pooled connections in a process that was forked: they are its parent's."""
        self.engine.dispose(close=False)


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot write the database file {path}: {error.strerror}"
        ) from error


def _tune_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # a committed submit survives a power cut
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={_BUSY_MILLISECONDS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("lepton_write", False):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get("lepton_durable", True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    # IMMEDIATE takes the write lock at once, so no reader has to upgrade and fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unusable(error: DBAPIError) -> str | None:
    """What is wrong with the database itself, where that is what an error says."""
    state = getattr(error.orig, "sqlstate", None)
    if state == "42501":
        return "its user may not read and write our tables; GRANT it the rights"
    if state == "25006":
        return "it is read-only, such as a standby; name its primary"
    if "file is not a database" in str(error.orig) or "malformed" in str(error.orig):
        return "the file is damaged, or is no SQLite database"
    return None


def _is_transient(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _TRANSIENT_SQLSTATES:
        return True
    return "database is locked" in str(error.orig)
