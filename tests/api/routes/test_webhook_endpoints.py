"""Webhook endpoints over HTTP: made, read, changed, tested, replayed; one tenant's alone."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.webhooks.events import EVENT_TYPES, ORDINARY_EVENTS
from lepton_tasks.webhooks.guard import EgressGuard, UnknownHost
from lepton_tasks.webhooks.signing import new_secret
from tests.support.api import ENDPOINTS, PUBLIC_HOOK, Api, error_of, make_endpoint


def test_an_endpoint_is_made_read_changed_listed_and_deleted(api: Api) -> None:
    made = make_endpoint(
        api, name="结算", event_types=["job.dead", "job.dead"], headers={"X-Shop": "7"}
    )
    assert made["object"] == "webhook_endpoint"
    assert made["event_types"] == ["job.dead"]
    assert made["header_names"] == ["X-Shop"]
    assert made["signing_secret"].startswith("whsec_")
    kept = {name: value for name, value in made.items() if name != "signing_secret"}
    assert api.call("GET", f"{ENDPOINTS}/{made['id']}").json() == kept

    more = {"description": "收银台\n二号", "event_types": None, "rate_limit": 5, "headers": None}
    changed = api.call("PATCH", f"{ENDPOINTS}/{made['id']}", json=more).json()
    assert changed["description"] == more["description"]
    assert (changed["event_types"], changed["header_names"]) == ([*ORDINARY_EVENTS], [])
    assert (changed["rate_limit"], changed["name"]) == (5.0, "结算")

    others = [make_endpoint(api)["id"] for _ in range(2)]
    first = api.call("GET", f"{ENDPOINTS}?limit=2").json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (others[::-1], True)
    rest = api.call("GET", f"{ENDPOINTS}?after={first['last_id']}").json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([made["id"]], False)
    assert "signing_secret" not in str(first).replace("signing_secret_hint", "")

    deleted = api.call("DELETE", f"{ENDPOINTS}/{made['id']}").json()
    assert deleted == {"id": made["id"], "object": "webhook_endpoint.deleted", "deleted": True}
    error_of(api.call("GET", f"{ENDPOINTS}/{made['id']}"), 404)
    error_of(api.call("DELETE", f"{ENDPOINTS}/{made['id']}"), 404)


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
        body = fields if param == "url" else {"url": PUBLIC_HOOK} | fields
        error = error_of(api.call("POST", ENDPOINTS, json=body), 422)
        assert (error["param"], error["code"]) == (param, code)
        assert "geheim" not in error["message"]
    assert api.call("GET", ENDPOINTS).json()["data"] == []


def test_a_change_is_checked_like_a_new_one(api: Api) -> None:
    endpoint = make_endpoint(api)["id"]
    for fields, param, code in REFUSED:
        if param in ("secret", "events") or not fields:
            continue
        error = error_of(api.call("PATCH", f"{ENDPOINTS}/{endpoint}", json=fields), 422)
        assert (error["param"], error["code"]) == (param, code)
    error = error_of(
        api.call("PATCH", f"{ENDPOINTS}/{endpoint}", json={"secret": new_secret()}), 422
    )
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
        error = error_of(api.call("POST", ENDPOINTS, json=body), 422)
        assert (error["param"], error["code"]) == ("url", code)
    make_endpoint(api, "https://good.example.test/")


def test_plain_http_reaches_allowed_private_networks_alone(local: Api) -> None:
    assert make_endpoint(local, "http://127.0.0.1:9/x")["url"] == "http://127.0.0.1:9/x"
    error = error_of(local.call("POST", ENDPOINTS, json={"url": "http://1.1.1.1/"}), 422)
    assert error["code"] == "https_required"
    error = error_of(local.call("POST", ENDPOINTS, json={"url": "https://10.0.0.1/"}), 422)
    assert error["code"] == "private_address"


ROUTES = [
    ("GET", f"{ENDPOINTS}/EP", None),
    ("POST", f"{ENDPOINTS}/EP", {"name": "x"}),
    ("PATCH", f"{ENDPOINTS}/EP", {"name": "x"}),
    ("DELETE", f"{ENDPOINTS}/EP", None),
    ("POST", f"{ENDPOINTS}/EP/rotate", None),
    ("POST", f"{ENDPOINTS}/EP/rotate_secret", None),
    ("POST", f"{ENDPOINTS}/EP/enable", None),
    ("POST", f"{ENDPOINTS}/EP/disable", None),
    ("POST", f"{ENDPOINTS}/EP/test", None),
    ("GET", f"{ENDPOINTS}/EP/deliveries", None),
    ("POST", f"{ENDPOINTS}/EP/replay", {"since": 0}),
    ("GET", f"{ENDPOINTS}?after=EP", None),
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
        if url != ENDPOINTS
    }


def test_another_tenants_things_are_404(api: Api) -> None:
    endpoint = make_endpoint(api)["id"]
    delivery = api.store.endpoints.send_test("acme", endpoint, "job.dead")
    before = api.call("GET", f"{ENDPOINTS}/{endpoint}").json()
    for method, url, body in ROUTES:
        for theirs, owed in ((endpoint, delivery), ("none", "none")):
            path = url.replace("EP", theirs).replace("DLV", owed)
            error = error_of(api.call(method, path, "other", json=body), 404)
            assert error["code"] == "not_found"
    assert api.call("GET", f"{ENDPOINTS}/{endpoint}").json() == before
    assert api.call("GET", ENDPOINTS, "other").json()["data"] == []
    assert api.store.deliveries.get("acme", delivery).round == 1


def test_no_route_answers_without_a_key(api: Api) -> None:
    for method, url, body in (*ROUTES, ("POST", ENDPOINTS, {}), ("GET", ENDPOINTS, None)):
        assert api.client.request(method, url, json=body).status_code == 401


def test_a_secret_is_shown_once_and_never_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    own = new_secret()
    made = make_endpoint(api, secret=own, headers={"authorization": "Bearer geheim"})
    assert made["signing_secret"] == own
    assert made["signing_secret_hint"] == f"whsec_…{own[-4:]}"
    rotated = api.call("POST", f"{ENDPOINTS}/{made['id']}/rotate").json()
    assert rotated["signing_secret"] not in (None, own)
    assert rotated["old_secret_active_until"] > rotated["rotated_at"] + 86_000
    texts = [
        api.call("GET", ENDPOINTS).text,
        api.call("GET", f"{ENDPOINTS}/{made['id']}").text,
        api.call("PATCH", f"{ENDPOINTS}/{made['id']}", json={"name": "x"}).text,
        caplog.text,
    ]
    file = api.store.database.engine.url.database
    assert file is not None
    texts += [Path(name).read_bytes().decode("latin-1") for name in (file, file + "-wal")]
    for text in texts:
        for secret in (own, rotated["signing_secret"], "geheim"):
            assert secret.removeprefix("whsec_") not in text


def test_a_rotation_may_end_the_old_secret_and_bring_an_own_one(api: Api) -> None:
    endpoint, own = make_endpoint(api)["id"], new_secret()
    body = {"secret": own, "keep_old_secret_active_for_24_hours": False}
    rotated = api.call("POST", f"{ENDPOINTS}/{endpoint}/rotate", json=body).json()
    assert (rotated["signing_secret"], rotated["old_secret_active_until"]) == (own, None)
    for wrong, param in (
        ({"secret": "x"}, "secret"),
        ({"keep_old_secret_active_for_24_hours": 1}, "keep_old_secret_active_for_24_hours"),
        ({"overlap": 7}, "overlap"),
    ):
        error = error_of(api.call("POST", f"{ENDPOINTS}/{endpoint}/rotate", json=wrong), 422)
        assert error["param"] == param


def test_the_events_are_listed(api: Api) -> None:
    assert api.call("GET", "/v1/webhook_event_types").json()["data"] == [*EVENT_TYPES]
