"""An API whose webhooks may reach receivers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks.settings import Settings
from tests.support.api import Api
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def local(redis_url: str, tmp_path: Path) -> Iterator[Api]:
    """An API whose webhooks may reach receivers on this machine."""
    settings = Settings(
        home=tmp_path / "home", redis_url=redis_url, webhook_private_networks="127.0.0.0/8"
    )
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, app.state.services.store, app.state.services.redis)
