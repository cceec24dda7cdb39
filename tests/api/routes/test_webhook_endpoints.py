"""Webhook endpoints over HTTP: made, read, changed, tested, replayed; one tenant's alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from standardwebhooks.webhooks import Webhook

from api.app import create_app
from lepton_tasks.settings import Settings
from lepton_tasks.webhooks.events import EVENT_TYPES, ORDINARY_EVENTS
from lepton_tasks.webhooks.guard import EgressGuard, UnknownHost
from lepton_tasks.webhooks.signing import new_secret
from tests.support.api import Api, error_of
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import eventually, running_sender

URL = "/v1/webhook_endpoints"
PUBLIC = "https://1.1.1.1/hooks"
"""An address needs no lookup, and nothing is ever sent there: no sender runs."""


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


def make(api: Api, url: str = PUBLIC, tenant: str = "acme", **more: Any) -> dict[str, Any]:
    response = api.call("POST", URL, tenant, json={"url": url} | more)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def test_an_endpoint_is_made_read_changed_listed_and_deleted(api: Api) -> None:
    made = make(api, name="结算", event_types=["job.dead", "job.dead"], headers={"X-Shop": "7"})
    assert made["object"] == "webhook_endpoint"
    assert made["event_types"] == ["job.dead"]
    assert made["header_names"] == ["X-Shop"]
    assert made["signing_secret"].startswith("whsec_")
    kept = {name: value for name, value in made.items() if name != "signing_secret"}
    assert api.call("GET", f"{URL}/{made['id']}").json() == kept

    more = {"description": "收银台\n二号", "event_types": None, "rate_limit": 5, "headers": None}
    changed = api.call("PATCH", f"{URL}/{made['id']}", json=more).json()
    assert changed["description"] == more["description"]
    assert (changed["event_types"], changed["header_names"]) == ([*ORDINARY_EVENTS], [])
    assert (changed["rate_limit"], changed["name"]) == (5.0, "结算")

    others = [make(api)["id"] for _ in range(2)]
    first = api.call("GET", f"{URL}?limit=2").json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (others[::-1], True)
    rest = api.call("GET", f"{URL}?after={first['last_id']}").json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([made["id"]], False)
    assert "signing_secret" not in str(first).replace("signing_secret_hint", "")

    deleted = api.call("DELETE", f"{URL}/{made['id']}").json()
    assert deleted == {"id": made["id"], "object": "webhook_endpoint.deleted", "deleted": True}
    error_of(api.call("GET", f"{URL}/{made['id']}"), 404)
    error_of(api.call("DELETE", f"{URL}/{made['id']}"), 404)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "url", "missing_field"),
    ({"url": 7}, "url", "invalid_url"),
    ({"url": "https://1.1.1.1/" + "x" * 2_100}, "url", "invalid_url"),
    ({"url": "ftp://1.1.1.1/"}, "url", "invalid_url"),
    ({"url": "https://"}, "url", "invalid_url"),
    ({"url": "https://u:geheim@1.1.1.1/"}, "url", "credentials_in_url"),
    ({"url": "http://1.1.1.1/"}, "url", "https_required"),
    ({"url": "https://127.0.0.1/"}, "url", "private_address"),
    ({"url": "https://[::ffff:10.0.0.1]/"}, "url", "private_address"),
    ({"url": "https://169.254.169.254/"}, "url", "private_address"),
    ({"url": "https://localhost/"}, "url", "private_address"),
    ({"url": "https://2130706433/"}, "url", "invalid_url"),
    ({"name": "x" * 101}, "name", "invalid_text"),
    ({"description": "字" * 1_001}, "description", "invalid_text"),
    ({"description": "a\0b"}, "description", "invalid_text"),
    ({"event_types": []}, "event_types", "invalid_type"),
    ({"event_types": ["job.done"]}, "event_types", "unknown_event"),
    ({"headers": {"Host": "x"}}, "headers.Host", "forbidden_header"),
    ({"headers": {"Content-Length": "1"}}, "headers.Content-Length", "forbidden_header"),
    ({"headers": {"WEBHOOK-ID": "1"}}, "headers.WEBHOOK-ID", "forbidden_header"),
    ({"headers": {"x": "a\r\nb: c"}}, "headers.x", "invalid_header"),
    ({"headers": {"x y": "a"}}, "headers.x y", "invalid_header"),
    ({"headers": {"x": "值"}}, "headers.x", "invalid_header"),
    ({"headers": {"x": "a", "X": "b"}}, "headers.X", "invalid_header"),
    ({"headers": {"x": "a" * 1_025}}, "headers.x", "header_too_large"),
    ({"headers": {f"x{n}": "a" * 1_000 for n in range(5)}}, "headers", "header_too_large"),
    ({"headers": {f"x{n}": "a" for n in range(21)}}, "headers", "invalid_type"),
    ({"rate_limit": 0}, "rate_limit", "out_of_range"),
    ({"rate_limit": "7"}, "rate_limit", "invalid_type"),
    ({"secret": "whsec_c2hvcnQ="}, "secret", "invalid_secret"),
    ({"events": ["job.dead"]}, "events", "unknown_field"),
]


def test_what_cannot_be_is_refused_with_its_field(api: Api) -> None:
    for fields, param, code in REFUSED:
        body = fields if param == "url" else {"url": PUBLIC} | fields
        error = error_of(api.call("POST", URL, json=body), 422)
        assert (error["param"], error["code"]) == (param, code)
        assert "geheim" not in error["message"]
    assert api.call("GET", URL).json()["data"] == []


def test_a_change_is_checked_like_a_new_one(api: Api) -> None:
    endpoint = make(api)["id"]
    for fields, param, code in REFUSED:
        if param in ("secret", "events") or not fields:
            continue
        error = error_of(api.call("PATCH", f"{URL}/{endpoint}", json=fields), 422)
        assert (error["param"], error["code"]) == (param, code)
    error = error_of(api.call("PATCH", f"{URL}/{endpoint}", json={"secret": new_secret()}), 422)
    assert error["param"] == "secret"


def test_a_name_is_judged_by_all_its_addresses(api: Api) -> None:
    names = {"both.example.test": ["1.1.1.1", "10.0.0.1"], "good.example.test": ["1.1.1.1"]}

    async def look_up(host: str, port: int) -> list[str]:
        if host not in names:
            raise UnknownHost("the host has no address")
        return names[host]

    app: Any = api.client.app
    app.state.services = replace(app.state.services, guard=EgressGuard(resolve=look_up))
    for host, code in (("both", "private_address"), ("none", "unresolvable_host")):
        body = {"url": f"https://{host}.example.test/"}
        error = error_of(api.call("POST", URL, json=body), 422)
        assert (error["param"], error["code"]) == ("url", code)
    make(api, "https://good.example.test/")


def test_plain_http_reaches_allowed_private_networks_alone(local: Api) -> None:
    assert make(local, "http://127.0.0.1:9/x")["url"] == "http://127.0.0.1:9/x"
    error = error_of(local.call("POST", URL, json={"url": "http://1.1.1.1/"}), 422)
    assert error["code"] == "https_required"
    error = error_of(local.call("POST", URL, json={"url": "https://10.0.0.1/"}), 422)
    assert error["code"] == "private_address"


ROUTES = [
    ("GET", f"{URL}/EP", None),
    ("POST", f"{URL}/EP", {"name": "x"}),
    ("PATCH", f"{URL}/EP", {"name": "x"}),
    ("DELETE", f"{URL}/EP", None),
    ("POST", f"{URL}/EP/rotate", None),
    ("POST", f"{URL}/EP/rotate_secret", None),
    ("POST", f"{URL}/EP/enable", None),
    ("POST", f"{URL}/EP/disable", None),
    ("POST", f"{URL}/EP/test", None),
    ("GET", f"{URL}/EP/deliveries", None),
    ("POST", f"{URL}/EP/replay", {"since": 0}),
    ("GET", f"{URL}?after=EP", None),
    ("GET", "/v1/webhook_deliveries/DLV", None),
    ("POST", "/v1/webhook_deliveries/DLV/replay", None),
]


def test_every_route_is_in_the_matrix_of_tenants(api: Api) -> None:
    described = api.client.get("/openapi.json").json()["paths"]
    paths = {path for path in described if "webhook_" in path and "{" in path}
    tried = {url.split("?")[0] for _, url, _ in ROUTES}
    assert paths == {
        url.replace("EP", "{endpoint_id}").replace("DLV", "{delivery_id}")
        for url in tried
        if url != URL
    }


def test_another_tenants_things_are_404(api: Api) -> None:
    endpoint = make(api)["id"]
    delivery = api.store.endpoints.send_test("acme", endpoint, "job.dead")
    before = api.call("GET", f"{URL}/{endpoint}").json()
    for method, url, body in ROUTES:
        for theirs, owed in ((endpoint, delivery), ("none", "none")):
            path = url.replace("EP", theirs).replace("DLV", owed)
            error = error_of(api.call(method, path, "other", json=body), 404)
            assert error["code"] == "not_found"
    assert api.call("GET", f"{URL}/{endpoint}").json() == before
    assert api.call("GET", URL, "other").json()["data"] == []
    assert api.store.deliveries.get("acme", delivery).round == 1


def test_no_route_answers_without_a_key(api: Api) -> None:
    for method, url, body in (*ROUTES, ("POST", URL, {}), ("GET", URL, None)):
        assert api.client.request(method, url, json=body).status_code == 401


def test_a_secret_is_shown_once_and_never_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    own = new_secret()
    made = make(api, secret=own, headers={"authorization": "Bearer geheim"})
    assert made["signing_secret"] == own
    assert made["signing_secret_hint"] == f"whsec_…{own[-4:]}"
    rotated = api.call("POST", f"{URL}/{made['id']}/rotate").json()
    assert rotated["signing_secret"] not in (None, own)
    assert rotated["old_secret_active_until"] > rotated["rotated_at"] + 86_000
    texts = [
        api.call("GET", URL).text,
        api.call("GET", f"{URL}/{made['id']}").text,
        api.call("PATCH", f"{URL}/{made['id']}", json={"name": "x"}).text,
        caplog.text,
    ]
    file = api.store.database.engine.url.database
    assert file is not None
    texts += [Path(name).read_bytes().decode("latin-1") for name in (file, file + "-wal")]
    for text in texts:
        for secret in (own, rotated["signing_secret"], "geheim"):
            assert secret.removeprefix("whsec_") not in text


def test_a_rotation_may_end_the_old_secret_and_bring_an_own_one(api: Api) -> None:
    endpoint, own = make(api)["id"], new_secret()
    body = {"secret": own, "keep_old_secret_active_for_24_hours": False}
    rotated = api.call("POST", f"{URL}/{endpoint}/rotate", json=body).json()
    assert (rotated["signing_secret"], rotated["old_secret_active_until"]) == (own, None)
    for wrong, param in (
        ({"secret": "x"}, "secret"),
        ({"keep_old_secret_active_for_24_hours": 1}, "keep_old_secret_active_for_24_hours"),
        ({"overlap": 7}, "overlap"),
    ):
        error = error_of(api.call("POST", f"{URL}/{endpoint}/rotate", json=wrong), 422)
        assert error["param"] == param


def test_deliveries_are_listed_read_and_replayed(local: Api, receiver: Receiver) -> None:
    made = make(local, receiver.url("/then/500,200"))
    job = local.submitted(metadata={"订单": "七"})
    local.finish(job)
    with running_sender(local.store, retry=lambda attempt, answer: None):
        url = f"{URL}/{made['id']}/deliveries"
        eventually(lambda: bool(local.call("GET", f"{url}?state=exhausted").json()["data"]))
        assert local.call("GET", f"{url}?state=delivered").json()["data"] == []
        [listed] = local.call("GET", url).json()["data"]
        assert (listed["event_type"], listed["sequence"]) == ("job.succeeded", 1)
        assert local.call("GET", f"{URL}/{made['id']}").json()["state"] == "failing"

        one = f"/v1/webhook_deliveries/{listed['id']}"
        replayed = local.call("POST", f"{one}/replay").json()
        assert replayed["round"] == 2
        eventually(lambda: bool(local.call("GET", one).json()["state"] == "delivered"))
    read = local.call("GET", one).json()
    assert read["event"]["data"]["metadata"] == {"订单": "七"}
    assert [(past["round"], past["status_code"]) for past in read["attempts"]] == [
        (1, 500),
        (2, 200),
    ]
    first, second = receiver.at("/then/500,200")
    assert (first.id, first.body) == (second.id, second.body) == (listed["event_id"], first.body)
    assert second.verify(made["signing_secret"]) == read["event"]
    assert local.call("GET", f"{URL}/{made['id']}").json()["state"] == "active"


def test_a_range_is_replayed(local: Api, receiver: Receiver) -> None:
    made = make(local, receiver.url("/late"))
    endpoint = f"{URL}/{made['id']}"
    assert local.call("POST", f"{endpoint}/disable").json()["disabled_reason"] == "by_tenant"
    for _ in range(3):
        local.finish(local.submitted())
    error = error_of(local.call("POST", f"{endpoint}/replay", json={"since": 0}), 409)
    assert error["code"] == "endpoint_disabled"
    error_of(local.call("POST", f"{endpoint}/test"), 409)
    assert local.call("POST", f"{endpoint}/enable").json()["state"] == "active"
    none = {"since": "2026-01-01T08:00:00+08:00", "until": 1_767_225_600}
    assert local.call("POST", f"{endpoint}/replay", json=none).json()["replayed"] == 0
    answer = local.call("POST", f"{endpoint}/replay", json={"since": 0}).json()
    assert (answer["replayed"], answer["has_more"]) == (3, False)
    assert local.call("POST", f"{endpoint}/replay", json={"since": 0}).json()["replayed"] == 0
    with running_sender(local.store):
        eventually(lambda: len(receiver.at("/late")) == 3)
    for wrong, param in (
        ({}, "since"),
        ({"since": "gestern"}, "since"),
        ({"since": 0, "to": 1}, "to"),
    ):
        assert error_of(local.call("POST", f"{endpoint}/replay", json=wrong), 422)["param"] == param


def test_a_test_event_says_what_the_receiver_says(local: Api, receiver: Receiver) -> None:
    good, bad = make(local, receiver.url("/ok")), make(local, receiver.url("/503"))
    with running_sender(local.store, retry=lambda attempt, answer: 3_600.0):
        tested = local.call("POST", f"{URL}/{good['id']}/test").json()
        assert (tested["success"], tested["status_code"]) == (True, 200)
        body = {"event_type": "batch.progress"}
        tested = local.call("POST", f"{URL}/{bad['id']}/test", json=body).json()
        assert (tested["success"], tested["status_code"]) == (False, 503)
    read = local.call("GET", f"/v1/webhook_deliveries/{tested['delivery_id']}").json()
    assert (read["state"], len(read["attempts"])) == ("cancelled", 1)
    [request] = receiver.at("/ok")
    event = Webhook(good["signing_secret"]).verify(request.body, request.headers)
    assert event["data"] == {"id": "job_test", "object": "job", "state": "succeeded", "test": True}
    error = error_of(local.call("POST", f"{URL}/{good['id']}/test", json={"event_type": "x"}), 422)
    assert error["param"] == "event_type"


def test_the_events_are_listed(api: Api) -> None:
    assert api.call("GET", "/v1/webhook_event_types").json()["data"] == [*EVENT_TYPES]
