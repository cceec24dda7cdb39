"""The OpenAPI document held against a running server, by schemathesis.

The suite does so briefly; for longer, on either database: ``make contract``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from api.app import create_app
from api.routes import endpoint_deliveries
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store, open_store
from tests.support.endpoints import TEST_KEY
from tests.support.postgres import TestPostgres
from tests.support.serving import serving

CONFIG = Path(__file__).parents[1] / "contract" / "schemathesis.toml"


@dataclass(frozen=True)
class DescribedApi:
    """A running API without workers; ``key`` is that of the tenant ``acme``."""

    url: str
    key: str
    store: Store

    def check(self, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Send what the document describes, and what it does not, and judge all answers."""
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
        return subprocess.run(
            [*command, "run", f"{self.url}/openapi.json", "--no-color", *options],
            cwd=folder,
            env={**os.environ, "API_KEY": self.key},
            capture_output=True,
            text=True,
        )


@contextmanager
def described_api(settings: Settings) -> Iterator[DescribedApi]:
    """Serve the API while the block runs; a test of a webhook does not wait for its sender."""
    store = open_store(settings)
    key = store.keys.create("acme", "test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint_deliveries, "TEST_SECONDS", 0.0)
        app = create_app(settings)
        with serving(uvicorn.Config(app, log_config=None)) as url:
            patch.setattr(app.state.services.guard, "_resolve", _somewhere)
            yield DescribedApi(url, key, store)
    store.close()


async def _somewhere(host: str, port: int) -> list[str]:
    """Find every host; the names of the requests are made up, and nothing is ever sent."""
    return ["1.1.1.1"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the document for as long as it takes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make contract", description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--examples", type=int, default=100, help="requests an operation, at most")
    asked = parser.parse_args(arguments)
    postgres = TestPostgres() if asked.db == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory(prefix="lepton-contract-") as name:
            folder = Path(name)
            (folder / "redis").mkdir()
            with EmbeddedRedis(folder / "redis") as redis:
                settings = Settings(
                    home=folder / "home",
                    redis_url=redis.url,
                    secret_key=TEST_KEY,
                    database_url="" if postgres is None else _made(postgres.fresh_database()),
                )
                with described_api(settings) as api:
                    done = api.check(folder, "--max-examples", str(asked.examples))
    finally:
        if postgres is not None:
            postgres.stop()
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode


def _made(url: str) -> str:
    database = Database(url)
    upgrade_schema(database)
    database.close()
    return url


if __name__ == "__main__":
    sys.exit(main())
