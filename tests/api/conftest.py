"""The application in this process on a real store and a real Redis, with keys for two tenants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks.settings import Settings
from tests.support.api import Api


@pytest.fixture
def api_settings(tmp_path: Path, redis_url: str) -> Settings:
    """Settings of an API on SQLite; tests of what touches SQL run it on both databases."""
    return Settings(home=tmp_path / "home", redis_url=redis_url, max_request_bytes=200_000)


@pytest.fixture
def api(api_settings: Settings) -> Iterator[Api]:
    """A running application and the store behind it."""
    app = create_app(api_settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, app.state.services.store, app.state.services.redis)
