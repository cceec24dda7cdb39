"""The application as a whole: open while it runs and no longer, every route described."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks import __version__
from lepton_tasks.errors import ConfigError, StoreUnavailable
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.settings import Settings
from tests.support.api import Api, error_of


def test_building_it_opens_nothing(tmp_path: Path) -> None:
    nowhere = Settings(home=tmp_path / "home", redis_url=f"redis://127.0.0.1:{free_port()}/0")
    app = create_app(nowhere)
    assert not (tmp_path / "home").exists()
    assert not hasattr(app.state, "services")


def test_connections_are_those_of_its_lifespan(api_settings: Settings) -> None:
    app = create_app(api_settings)
    for _ in range(2):
        with TestClient(app) as client:
            services = app.state.services
            assert client.get("/healthz").status_code == 200
            assert services.redis.ping()
        left = services.redis.connection_pool._available_connections
        assert left and all(connection._sock is None for connection in left)


def test_a_database_that_cannot_be_used_ends_the_start(
    api_settings: Settings, tmp_path: Path
) -> None:
    empty = api_settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/empty.db"})
    with pytest.raises(StoreUnavailable), TestClient(create_app(empty)):
        raise AssertionError("it started")
    wrong = api_settings.model_copy(update={"redis_url": "amqp://127.0.0.1"})
    with pytest.raises(ConfigError), TestClient(create_app(wrong)):
        raise AssertionError("it started")


def test_a_url_is_served_as_it_is_written_or_not_at_all(api: Api) -> None:
    for url in ("/", "/v1", "/v1/jobs/", "/v1/nothing", "/redoc", "/v1/任务"):
        error = error_of(api.call("GET", url), 404)
        assert error["code"] == "unknown_url"
    error = error_of(api.call("PUT", "/v1/jobs"), 405)
    assert error["code"] == "method_not_allowed"


def test_every_route_is_described(api: Api) -> None:
    described = api.call("GET", "/openapi.json").json()
    assert described["info"]["version"] == __version__
    assert {"/v1/jobs", "/v1/jobs/{job_id}", "/v1/tasks", "/healthz", "/readyz"} <= set(
        described["paths"]
    )
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert "responses" in operation
    assert api.call("GET", "/docs").status_code == 200


def test_every_answer_has_an_id(api: Api) -> None:
    for method, url in (("GET", "/healthz"), ("GET", "/v1/nothing"), ("POST", "/v1/jobs")):
        assert api.call(method, url).headers["x-request-id"].startswith("req_")
