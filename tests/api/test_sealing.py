"""Without a key for secrets there are no endpoints, and it is said what is missing."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.webhooks.signing import new_secret
from tests.support.api import ENDPOINTS, PUBLIC_HOOK, Api, error_of, make_endpoint
from tests.support.postgres import TestPostgres


def test_the_missing_key_is_named_and_nothing_else(
    redis_url: str, postgres: TestPostgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database_url = postgres.fresh_database()
    upgrade_schema(Database(database_url))
    home, own = tmp_path / "home", new_secret()
    unset = Settings(home=home, redis_url=redis_url, database_url=database_url)
    key = base64.b64encode(bytes(32)).decode()
    with_key = unset.model_copy(update={"secret_key": key})
    caplog.set_level(logging.INFO)

    app = create_app(unset)
    with TestClient(app, raise_server_exceptions=False) as client:
        api = Api(client, app.state.services.store, app.state.services.redis)
        asked = {"url": PUBLIC_HOOK, "secret": own, "headers": {"authorization": "Bearer geheim"}}
        answer = api.call("POST", ENDPOINTS, json=asked)
        error = error_of(answer, 503)
        assert (error["type"], error["code"]) == ("server_error", "secret_key_required")
        assert "LEPTON_SECRET_KEY" in error["message"]
        assert answer.headers["x-should-retry"] == "false"
        assert api.call("GET", ENDPOINTS).json()["data"] == []
        # What is wrong with the request itself is still said first.
        assert error_of(api.call("POST", ENDPOINTS, json={"url": 7}), 422)["param"] == "url"

    app = create_app(with_key)
    with TestClient(app, raise_server_exceptions=False) as client:
        api = Api(client, app.state.services.store, app.state.services.redis)
        made = make_endpoint(api)

    app = create_app(unset)
    with TestClient(app, raise_server_exceptions=False) as client:
        api = Api(client, app.state.services.store, app.state.services.redis)
        one = f"{ENDPOINTS}/{made['id']}"
        for path, body in ((one, {"headers": {"x": "geheim"}}), (f"{one}/rotate", {"secret": own})):
            error = error_of(api.call("POST", path, json=body), 503)
            assert error["code"] == "secret_key_required"
        assert api.call("PATCH", one, json={"name": "结算"}).json()["name"] == "结算"
        said = f"{error}{caplog.text}"
    assert "webhook secrets need LEPTON_SECRET_KEY" in caplog.text  # the operator's part
    for hidden in (own.removeprefix("whsec_"), "geheim", key, "Traceback"):
        assert hidden not in said
    assert str(home) not in str(error)
