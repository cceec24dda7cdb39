"""What endpoints ask for, seen by their receivers: secrets, headers, health, replay, pace."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from sqlalchemy import text

from lepton_tasks.states import EndpointState
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks import lanes
from lepton_tasks.webhooks.client import MAX_ANSWER_BYTES, Answer
from lepton_tasks.webhooks.health import FAILING_SECONDS
from lepton_tasks.webhooks.pace import Pace
from lepton_tasks.webhooks.schedule import DELAYS, retry_in
from lepton_tasks.webhooks.signing import new_secret
from tests.support.endpoints import age, forget_overlap, subscribe
from tests.support.receiver import Received, Receiver
from tests.support.sending import (
    QUICK,
    attempts_of,
    eventually,
    make_due,
    owe,
    running_sender,
    state_of,
)


def signatures(request: Received) -> list[str]:
    return request.headers["webhook-signature"].split(" ")


def signature(request: Received, secret: str) -> str:
    """As the specification has it, without its library."""
    content = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key = b64decode(secret.removeprefix("whsec_"))
    return "v1," + b64encode(hmac.digest(key, content, "sha256")).decode()


def test_both_secrets_sign_for_a_day_after_a_rotation(store: Store, receiver: Receiver) -> None:
    old, new = new_secret(), new_secret()
    endpoint = subscribe(store, receiver.url("/hook"), secret=old)

    def sent() -> Received:
        owed = owe(store, endpoint.url, endpoint_id=endpoint.id)
        eventually(lambda: state_of(store, owed) == "delivered")
        return receiver.received[-1]

    with running_sender(store):
        before = sent()
        store.endpoints.rotate("acme", endpoint.id, new)
        during = sent()
        forget_overlap(store, endpoint.id)
        after = sent()
    assert signatures(before) == [signature(before, old)]
    assert signatures(during) == [signature(during, new), signature(during, old)]
    assert signatures(after) == [signature(after, new)]
    with OpenAI(api_key="unused") as client:
        for secret in (old, new):
            during.verify(secret)
            client.webhooks.verify_signature(during.body, during.headers, secret=secret)
        with pytest.raises(InvalidWebhookSignatureError):
            client.webhooks.verify_signature(after.body, after.headers, secret=old)


def test_a_tenants_headers_go_along_and_do_not_replace_ours(
    store: Store, receiver: Receiver
) -> None:
    headers = {"Authorization": "Bearer 令牌", "X-Shop": "7"}
    endpoint = subscribe(store, receiver.url("/hook"), headers=headers)
    owed = owe(store, endpoint.url, endpoint_id=endpoint.id)
    with running_sender(store):
        eventually(lambda: state_of(store, owed) == "delivered")
    [request] = receiver.received
    assert request.headers["x-shop"] == "7"
    assert request.headers["authorization"].encode("latin-1") == "Bearer 令牌".encode()
    assert request.headers["content-type"] == "application/json"
    assert request.id == owed


def test_gone_disables_an_endpoint_and_a_replay_begins_anew(
    store: Store, receiver: Receiver
) -> None:
    endpoint = subscribe(store, receiver.url("/then/410,500,200"))
    first = owe(store, endpoint.url, endpoint_id=endpoint.id)
    with running_sender(store):
        eventually(lambda: store.endpoints.get("acme", endpoint.id).state == EndpointState.DISABLED)
        held = owe(store, endpoint.url, endpoint_id=endpoint.id)
        eventually(lambda: state_of(store, held) == "held")
        assert len(receiver.received) == 1
        store.endpoints.enable("acme", endpoint.id)
        store.deliveries.replay("acme", first)
        eventually(lambda: state_of(store, first) == "delivered")
        store.deliveries.replay("acme", held)
        eventually(lambda: state_of(store, held) == "delivered")
    ids = [request.id for request in receiver.received]
    assert ids == [first, first, first, held]
    assert len({request.body for request in receiver.received[:3]}) == 1
    past = store.deliveries.attempts("acme", first)
    assert [(one.round, one.attempt, one.status) for one in past] == [
        (1, 1, 410),
        (2, 1, 500),
        (2, 2, 200),
    ]


def test_five_failing_days_disable_an_endpoint(store: Store, receiver: Receiver) -> None:
    endpoint = subscribe(store, receiver.url("/503"))
    owed = [owe(store, endpoint.url, endpoint_id=endpoint.id) for _ in range(2)]
    with running_sender(store, retry=lambda attempt, answer: 3600.0):
        eventually(lambda: all(len(attempts_of(store, one)) == 1 for one in owed))
        assert store.endpoints.get("acme", endpoint.id).state == EndpointState.FAILING
        age(store, endpoint.id, FAILING_SECONDS)
        make_due(store)
        eventually(lambda: store.endpoints.get("acme", endpoint.id).state == EndpointState.DISABLED)
        eventually(lambda: {state_of(store, one) for one in owed} == {"held"})


def test_an_attempt_keeps_what_the_receiver_said_and_no_more(
    store: Store, receiver: Receiver
) -> None:
    brief, endless = owe(store, receiver.url("/hook")), owe(store, receiver.url("/endless"))
    with running_sender(store):
        eventually(lambda: [state_of(store, one) for one in (brief, endless)] == ["delivered"] * 2)
    [short], [long] = (store.deliveries.attempts("acme", one) for one in (brief, endless))
    assert (short.status, short.response) == (200, b"ok")
    assert short.seconds > 0
    assert long.response == b"x" * MAX_ANSWER_BYTES


def test_the_schedule_is_kept_to_the_second(store: Store, receiver: Receiver) -> None:
    """A life of 75 hours: what each failure puts into the store, time moved by hand."""
    mine = owe(store, receiver.url("/500"))

    def by_the_book(attempt: int, answer: Answer) -> float | None:
        return retry_in(attempt, answer.status, answer.retry_after, random=0.5, now=0)

    waits = []
    calm = replace(
        QUICK, lane=replace(QUICK.lane, breaker=replace(QUICK.lane.breaker, failures=99))
    )
    with running_sender(store, retry=by_the_book, limits=calm):
        for number in range(1, len(DELAYS) + 1):
            eventually(lambda number=number: len(attempts_of(store, mine)) == number)  # type: ignore[misc]
            waits.append(_wait_after(store, mine))
            make_due(store)
        eventually(lambda: state_of(store, mine) == "exhausted")
    assert waits == pytest.approx(list(DELAYS), abs=1.0)
    assert [status for _, status, _ in attempts_of(store, mine)] == [500] * (len(DELAYS) + 1)
    assert store.deliveries.body("acme", mine)  # exhausted is kept, and can be sent again


def test_an_endpoints_rate_is_that_of_its_lane(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []

    class Noted(Pace):
        def __init__(self, rate: float) -> None:
            rates.append(rate)
            super().__init__(rate)

    monkeypatch.setattr(lanes, "Pace", Noted)
    endpoint = subscribe(store, receiver.url("/hook"), rate_limit=50.0)
    owed = [owe(store, endpoint.url, endpoint_id=endpoint.id) for _ in range(60)]
    with running_sender(store):
        eventually(lambda: {state_of(store, one) for one in owed} == {"delivered"})
    assert set(rates) == {0.0, 50.0}
    assert len(receiver.received) == 60


def _wait_after(store: Store, delivery_id: str) -> float:
    query = (
        "SELECT next_at - (SELECT max(at) FROM delivery_attempts WHERE delivery_id = id) "
        "FROM deliveries WHERE id = :id"
    )
    with store.database.read() as connection:
        return float(connection.execute(text(query), {"id": delivery_id}).scalar_one())
