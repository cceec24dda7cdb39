"""What tests of the API share: a client with keys, and a worker's end of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import orjson
import redis
from starlette.testclient import TestClient

from lepton_tasks.broker.wakeups import announce
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.store.store import Store
from tests.support.conformance import our_conformance

ENDPOINTS = "/v1/webhook_endpoints"
PUBLIC_HOOK = "https://1.1.1.1/hooks"
"""An address needs no lookup, and nothing is ever sent there: no sender runs."""


class Answer(Protocol):
    """A response, of the test client or of a real one: they come from different libraries."""

    @property
    def status_code(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by name, whatever the case."""
        ...

    @property
    def text(self) -> str:
        """Body."""
        ...

    def json(self) -> Any:
        """Body as JSON."""
        ...


def finish(store: Store, client: redis.Redis, job_id: str, error: str | None = None) -> None:
    """Do a job as a worker does: claim it, store an answer made of its inputs, announce it."""
    [claimed] = store.claims.claim("w1", [job_id])
    outputs = [{"characters": len(text)} for text in claimed.payload.inputs]
    result = {"model": {"name": "counter", "revision": "r1"}, "outputs": outputs}
    done = FinishedJob(claimed, None if error else orjson.dumps(result).decode(), error)
    assert store.claims.finish([done]) == {job_id}
    announce(client, [job_id])


class Api:
    """A client of the application, and the other side of its store."""

    def __init__(self, client: TestClient, store: Store, redis_client: redis.Redis) -> None:
        self.client = client
        self.store = store
        self._redis = redis_client
        self.keys = {tenant: store.keys.create(tenant, "test") for tenant in ("acme", "other")}

    def call(self, method: str, url: str, tenant: str = "acme", **more: Any) -> Answer:
        """Send a request with a tenant's key."""
        headers = {"authorization": f"Bearer {self.keys[tenant]}"} | more.pop("headers", {})
        response = self.client.request(method, url, headers=headers, **more)
        our_conformance().check(
            method,
            url,
            response.status_code,
            response.headers.get("content-type", ""),
            response.content,
        )
        answer: Answer = response
        return answer

    def submit(self, tenant: str = "acme", **body: Any) -> Answer:
        """Post a moderation job."""
        return self.call("POST", "/v1/jobs", tenant, json={"task": "moderation"} | body)

    def submitted(self, tenant: str = "acme", **body: Any) -> str:
        """Post a job that must be accepted; returns its id."""
        response = self.submit(tenant, **({"input": "你好"} | body))
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def finish(self, job_id: str, error: str | None = None) -> None:
        """Do a job as a worker does."""
        finish(self.store, self._redis, job_id, error)


def error_of(response: Answer, status: int) -> dict[str, Any]:
    """The error of a response, whose status and whole shape are checked."""
    assert response.status_code == status, response.text
    assert response.headers["x-request-id"].startswith("req_")
    body = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def make_endpoint(
    api: Api, url: str = PUBLIC_HOOK, tenant: str = "acme", **more: Any
) -> dict[str, Any]:
    """Make a webhook endpoint; returns it as it was answered, with its secret."""
    response = api.call("POST", ENDPOINTS, tenant, json={"url": url} | more)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made
