"""What an endpoint is owed, over HTTP: listed, sent again, and tried with a test event."""

from __future__ import annotations

from standardwebhooks.webhooks import Webhook

from tests.support.api import ENDPOINTS, Api, error_of, make_endpoint
from tests.support.receiver import Receiver
from tests.support.sending import eventually, running_sender


def test_deliveries_are_listed_read_and_replayed(local: Api, receiver: Receiver) -> None:
    made = make_endpoint(local, receiver.url("/then/500,200"))
    job = local.submitted(metadata={"订单": "七"})
    local.finish(job)
    with running_sender(local.store, retry=lambda attempt, answer: None):
        url = f"{ENDPOINTS}/{made['id']}/deliveries"
        eventually(lambda: bool(local.call("GET", f"{url}?state=exhausted").json()["data"]))
        assert local.call("GET", f"{url}?state=delivered").json()["data"] == []
        [listed] = local.call("GET", url).json()["data"]
        assert (listed["event_type"], listed["sequence"]) == ("job.succeeded", 1)
        assert local.call("GET", f"{ENDPOINTS}/{made['id']}").json()["state"] == "failing"

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
    assert local.call("GET", f"{ENDPOINTS}/{made['id']}").json()["state"] == "active"


def test_a_range_is_replayed(local: Api, receiver: Receiver) -> None:
    made = make_endpoint(local, receiver.url("/late"))
    endpoint = f"{ENDPOINTS}/{made['id']}"
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
    good, bad = (
        make_endpoint(local, receiver.url("/ok")),
        make_endpoint(local, receiver.url("/503")),
    )
    with running_sender(local.store, retry=lambda attempt, answer: 3_600.0):
        tested = local.call("POST", f"{ENDPOINTS}/{good['id']}/test").json()
        assert (tested["success"], tested["status_code"]) == (True, 200)
        body = {"event_type": "batch.progress"}
        tested = local.call("POST", f"{ENDPOINTS}/{bad['id']}/test", json=body).json()
        assert (tested["success"], tested["status_code"]) == (False, 503)
    read = local.call("GET", f"/v1/webhook_deliveries/{tested['delivery_id']}").json()
    assert (read["state"], len(read["attempts"])) == ("cancelled", 1)
    [request] = receiver.at("/ok")
    event = Webhook(good["signing_secret"]).verify(request.body, request.headers)
    assert event["data"] == {"id": "job_test", "object": "job", "state": "succeeded", "test": True}
    error = error_of(
        local.call("POST", f"{ENDPOINTS}/{good['id']}/test", json={"event_type": "x"}), 422
    )
    assert error["param"] == "event_type"
