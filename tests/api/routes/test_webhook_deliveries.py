"""A delivery over HTTP: read with its last attempts, sent again, in states that allow it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from api.announcing import Announcements
from lepton_tasks.broker.wakeups import Announcer
from lepton_tasks.store.deliveries import Attempt
from tests.support.api import Api, error_of
from tests.support.endpoints import HOOK, subscribe
from tests.support.sending import make_due, owe, state_of

URL = "/v1/webhook_deliveries"


def attempted(api: Api, delivery_id: str, times: int, answer: bytes = b"no") -> None:
    """Send a delivery in vain so often; a last attempt has none after it."""
    for number in range(times):
        make_due(api.store)
        [claimed] = api.store.deliveries.claim_due(9, 60.0)
        assert claimed.id == delivery_id
        again = None if number == times - 1 else 3_600.0
        api.store.deliveries.record(
            [Attempt(claimed, 0.25, 500, "status 500", False, again, answer)]
        )


def read(api: Api, delivery_id: str) -> dict[str, Any]:
    response = api.call("GET", f"{URL}/{delivery_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_delivery_is_read_with_its_event_and_its_last_attempts(api: Api) -> None:
    delivery = owe(api.store, HOOK, endpoint_id=subscribe(api.store).id)
    waiting = read(api, delivery)
    assert (waiting["state"], waiting["attempts"], waiting["attempts_in_round"]) == (
        "pending",
        [],
        0,
    )
    assert waiting["event"] == {"id": delivery, "text": "你好"}
    attempted(api, delivery, 103, "忙".encode() + b"\xff")
    found = read(api, delivery)
    assert (found["state"], found["attempts_in_round"]) == ("exhausted", 103)
    assert [past["attempt"] for past in found["attempts"]] == list(range(4, 104))
    assert found["next_attempt_at"] is None
    last = found["attempts"][-1]
    assert (last["status_code"], last["error"], last["response"]) == (500, "status 500", "忙\ufffd")


def test_a_replay_begins_a_new_round_and_wakes_the_sender(api: Api) -> None:
    class Noting(Announcer):
        def announce(self, job_ids: Iterable[str]) -> None:
            announced.append(set(job_ids))

    announced: list[set[str]] = []
    state = api.client.app.state  # type: ignore[attr-defined]
    noting = Announcements(Noting(state.services.redis, is_away=lambda: False))
    state.services = replace(state.services, announcements=noting)
    delivery = owe(api.store, HOOK, endpoint_id=subscribe(api.store).id)
    attempted(api, delivery, 2)
    before = read(api, delivery)
    with noting:
        replayed = api.call("POST", f"{URL}/{delivery}/replay").json()
    noting._thread.join(60.0)
    assert (replayed["state"], replayed["round"], replayed["attempts_in_round"]) == (
        "pending",
        2,
        0,
    )
    assert "attempts" not in replayed and "event" not in replayed
    assert announced == [set()]  # no job has ended, and there are deliveries
    after = read(api, delivery)
    assert (after["event"], after["event_id"]) == (before["event"], before["event_id"])
    assert [(past["round"], past["attempt"]) for past in after["attempts"]] == [(1, 1), (1, 2)]


def test_one_that_nobody_takes_is_not_replayed(api: Api) -> None:
    endpoint, gone = subscribe(api.store), subscribe(api.store, f"{HOOK}/gone")
    held = owe(api.store, HOOK, endpoint_id=endpoint.id)
    cancelled = owe(api.store, HOOK, endpoint_id=gone.id)
    api.store.endpoints.disable("acme", endpoint.id)
    api.store.endpoints.delete("acme", gone.id)
    for delivery, code in ((held, "endpoint_disabled"), (cancelled, "endpoint_deleted")):
        before = state_of(api.store, delivery)
        error = error_of(api.call("POST", f"{URL}/{delivery}/replay"), 409)
        assert error["code"] == code
        assert state_of(api.store, delivery) == before


def test_a_url_of_a_jobs_own_is_replayed_too(api: Api) -> None:
    delivery = owe(api.store, HOOK)
    attempted(api, delivery, 1)
    replayed = api.call("POST", f"{URL}/{delivery}/replay").json()
    assert (replayed["endpoint_id"], replayed["url"], replayed["round"]) == (None, HOOK, 2)
    assert read(api, delivery)["event"] == orjson.loads(api.store.deliveries.body("acme", delivery))
