"""An API whose webhooks may reach receivers on this machine, and one for tests of files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.file_tables import FileRow, UploadPartRow, UploadRow
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


@pytest.fixture(scope="module")
def file_settings(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of an API with little room for files."""
    return Settings(
        home=tmp_path_factory.mktemp("files"),
        redis_url=redis_server.url[:-1] + "9",
        file_bytes=2_000,
        tenant_file_bytes=3_000,
    )


@pytest.fixture(scope="module")
def file_server(file_settings: Settings) -> Iterator[Api]:
    """Such an API, for all tests of a module; use ``file_api``."""
    app = create_app(file_settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, app.state.services.store, app.state.services.redis)


@pytest.fixture
def file_api(file_server: Api, file_settings: Settings) -> Api:
    """The same without any files."""
    with file_server.store.database.write(durable=False) as connection:
        for row in (FileRow, UploadRow, UploadPartRow, BatchRow):
            connection.execute(row.__table__.delete())  # type: ignore[union-attr]
    shutil.rmtree(file_settings.files, ignore_errors=True)
    return file_server
