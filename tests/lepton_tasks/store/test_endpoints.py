"""Endpoints of a tenant, and what claiming, recording and replaying does with them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import text

from lepton_tasks.errors import ConfigError, Conflict, NotFound
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.deliveries import MAX_RESPONSE_BYTES, Attempt, Delivery
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.health import FAILING_SECONDS
from lepton_tasks.webhooks.signing import new_secret
from tests.support.endpoints import HOOK, age, created, forget_overlap, subscribe
from tests.support.sending import attempts_of, owe, state_of

DAY = 86_400.0


def claim(store: Store) -> list[Delivery]:
    return store.deliveries.claim_due(100, 60.0)


def made(delivery: Delivery, status: int | None = 200, retry_in: float | None = 3600.0) -> Attempt:
    ok = status == 200
    error = None if ok else f"status {status}"
    retry = None if ok else retry_in
    return Attempt(delivery, 0.25, status, error, ok, retry, response="答复".encode())


def fail(store: Store, endpoint_id: str, status: int | None = 500) -> str:
    """One delivery that fails once; returns its id."""
    owed = owe(store, HOOK, endpoint_id=endpoint_id)
    [claimed] = claim(store)
    store.deliveries.record([made(claimed, status, None if status == 410 else 3600.0)])
    return owed


def test_a_claim_carries_what_is_needed_to_send(quick_store: Store) -> None:
    secret, later = new_secret(), new_secret()
    endpoint = subscribe(
        quick_store, secret=secret, headers={"x-shop": "店"}, rate_limit=2.5, name="till"
    )
    owe(quick_store, HOOK, endpoint_id=endpoint.id)
    quick_store.endpoints.rotate("acme", endpoint.id, later)
    [claimed] = claim(quick_store)
    assert claimed.endpoint_id == endpoint.id
    assert claimed.headers == {"x-shop": "店"}
    assert claimed.rate_limit == 2.5
    assert claimed.secrets == (later, secret)
    assert (claimed.round, claimed.attempt) == (1, 1)
    assert secret not in repr(claimed)
    quick_store.deliveries.release([(claimed, 0.0)])
    forget_overlap(quick_store, endpoint.id)
    [claimed] = claim(quick_store)
    assert claimed.secrets == (later,)


def test_a_url_of_a_jobs_own_is_signed_with_its_tenants_secret(quick_store: Store) -> None:
    owe(quick_store, HOOK)
    [claimed] = claim(quick_store)
    assert claimed.secrets == (quick_store.keys.webhook_secret("acme"),)
    assert claimed.endpoint_id is None
    assert claimed.rate_limit is None


def test_endpoints_can_be_passed_over(quick_store: Store) -> None:
    slow, other = subscribe(quick_store), subscribe(quick_store)
    owe(quick_store, HOOK, endpoint_id=slow.id)
    kept = {owe(quick_store, HOOK, endpoint_id=other.id), owe(quick_store, HOOK)}
    lanes = quick_store.deliveries.lanes()
    assert {name for name, wait in lanes.items() if wait <= 0} == {
        slow.id,
        other.id,
        "hooks.example.test",
    }
    taken = quick_store.deliveries.claim_due(9, 60.0, {other.id: 5, "hooks.example.test": 5})
    assert {one.id for one in taken} == kept
    lanes = quick_store.deliveries.lanes()
    assert {name for name, wait in lanes.items() if wait <= 0} == {slow.id}


def test_a_failure_and_a_success_move_the_endpoint(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    fail(quick_store, endpoint.id)
    failing = quick_store.endpoints.get("acme", endpoint.id)
    assert failing.state == "failing"
    fail(quick_store, endpoint.id, None)
    again = quick_store.endpoints.get("acme", endpoint.id)
    assert again.failing_since == failing.failing_since
    owe(quick_store, HOOK, endpoint_id=endpoint.id)
    quick_store.deliveries.record([made(one) for one in claim(quick_store)])
    well = quick_store.endpoints.get("acme", endpoint.id)
    assert (well.state, well.failing_since) == ("active", None)


def test_gone_disables_and_holds_what_waits(
    quick_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint, other = subscribe(quick_store), subscribe(quick_store)
    waiting = fail(quick_store, endpoint.id)
    beside = fail(quick_store, other.id)
    with caplog.at_level(logging.WARNING):
        gone = fail(quick_store, endpoint.id, 410)
    found = quick_store.endpoints.get("acme", endpoint.id)
    assert (found.state, found.disabled_reason) == ("disabled", "gone")
    states = [state_of(quick_store, one) for one in (waiting, gone, beside)]
    assert states == ["held", "exhausted", "pending"]
    [event] = quick_store.operator_events.recent(tenant="acme")
    assert (event.kind, event.subject) == ("webhook_endpoint.disabled", endpoint.id)
    assert endpoint.id in caplog.text
    assert HOOK not in caplog.text


def test_five_days_of_failures_disable(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    fail(quick_store, endpoint.id)
    age(quick_store, endpoint.id, FAILING_SECONDS - DAY)
    fail(quick_store, endpoint.id)
    assert quick_store.endpoints.get("acme", endpoint.id).state == "failing"
    age(quick_store, endpoint.id, FAILING_SECONDS + 1)
    fail(quick_store, endpoint.id)
    found = quick_store.endpoints.get("acme", endpoint.id)
    assert (found.state, found.disabled_reason) == ("disabled", "failing")
    assert claim(quick_store) == []


def test_a_stale_senders_result_moves_nothing(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owe(quick_store, HOOK, endpoint_id=endpoint.id)
    [stale] = quick_store.deliveries.claim_due(1, 0.0)
    claim(quick_store)
    quick_store.deliveries.record([made(stale, 410, None)])
    assert quick_store.endpoints.get("acme", endpoint.id).state == "active"


def test_what_was_under_way_does_not_enable_again(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    for _ in range(2):
        owe(quick_store, HOOK, endpoint_id=endpoint.id)
    good, bad = claim(quick_store)
    quick_store.endpoints.disable("acme", endpoint.id)
    quick_store.deliveries.record([made(good), made(bad, 500)])
    found = quick_store.endpoints.get("acme", endpoint.id)
    assert (found.state, found.disabled_reason) == ("disabled", "by_tenant")
    assert state_of(quick_store, bad.id) == "held"


def test_what_comes_for_a_disabled_endpoint_is_held_and_replayed(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    quick_store.endpoints.disable("acme", endpoint.id)
    late = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    assert claim(quick_store) == []
    assert state_of(quick_store, late) == "held"
    with pytest.raises(Conflict, match="enable it"):
        quick_store.deliveries.replay("acme", late)
    with pytest.raises(Conflict, match="enable it"):
        quick_store.deliveries.replay_range("acme", endpoint.id, 0, 9e9)
    quick_store.endpoints.enable("acme", endpoint.id)
    assert claim(quick_store) == []
    assert quick_store.deliveries.replay("acme", late).state == "pending"
    [claimed] = claim(quick_store)
    assert (claimed.id, claimed.round, claimed.attempt) == (late, 2, 1)


def test_a_replay_keeps_id_and_body_and_begins_a_new_round(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owed = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    [first] = claim(quick_store)
    quick_store.deliveries.record([made(first, 500, None)])
    assert state_of(quick_store, owed) == "exhausted"
    quick_store.endpoints.change("acme", endpoint.id, {"url": HOOK + "/new"})
    for _ in range(2):  # the second finds it on its way
        quick_store.deliveries.replay("acme", owed)
    [again] = claim(quick_store)
    assert (again.id, again.event_id, again.body) == (owed, first.event_id, first.body)
    assert (again.round, again.attempt, again.url) == (2, 1, HOOK + "/new")
    quick_store.deliveries.record([made(again)])
    past = quick_store.deliveries.attempts("acme", owed)
    assert [(one.round, one.attempt, one.status) for one in past] == [(1, 1, 500), (2, 1, 200)]
    assert past[0].response == "答复".encode()
    assert attempts_of(quick_store, owed) == [(1, 500, "status 500"), (1, 200, None)]


def test_a_pending_delivery_that_is_replayed_is_due_at_once(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owed = fail(quick_store, endpoint.id)
    assert claim(quick_store) == []
    quick_store.deliveries.replay("acme", owed)
    [claimed] = claim(quick_store)
    assert (claimed.round, claimed.attempt) == (1, 2)


def test_a_range_is_replayed_page_by_page_and_once(quick_store: Store) -> None:
    endpoint, other = subscribe(quick_store), subscribe(quick_store)
    owed = [owe(quick_store, HOOK, endpoint_id=endpoint.id) for _ in range(5)]
    beside = owe(quick_store, HOOK, endpoint_id=other.id)
    claimed = {one.id: one for one in claim(quick_store)}
    good = owed[2]
    quick_store.deliveries.record(
        [made(one, 200 if one.id == good else 500, None) for one in claimed.values()]
    )
    at = [1_000.0 + n for n in range(5)]
    for one, moment in zip(owed, at, strict=True):
        created(quick_store, one, moment)
    seen, after = [], None
    while True:
        step = quick_store.deliveries.replay_range(
            "acme", endpoint.id, at[0], at[4], after=after, limit=2
        )
        seen.append(step.count)
        if not step.has_more:
            break
        after = step.last_id
    assert sum(seen) == 3
    states = [state_of(quick_store, one) for one in owed]
    assert states == ["pending", "pending", "delivered", "pending", "exhausted"]
    assert state_of(quick_store, beside) == "exhausted"
    again = quick_store.deliveries.replay_range("acme", endpoint.id, at[0], at[4])
    assert (again.count, again.has_more) == (0, False)
    delivered = quick_store.deliveries.replay_range(
        "acme", endpoint.id, 0, 9e9, states=[DeliveryState.DELIVERED]
    )
    assert delivered.count == 1


def test_a_deleted_endpoint_gets_nothing_more(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    waiting = fail(quick_store, endpoint.id)
    owe(quick_store, HOOK, endpoint_id=endpoint.id)
    [under_way] = claim(quick_store)
    quick_store.endpoints.delete("acme", endpoint.id)
    assert state_of(quick_store, waiting) == "cancelled"
    quick_store.deliveries.release([(under_way, 0.0)])
    assert claim(quick_store) == []
    assert state_of(quick_store, under_way.id) == "cancelled"
    quick_store.deliveries.record([made(under_way)])
    gone = fail_exhausted(quick_store)
    with pytest.raises(Conflict, match="deleted"):
        quick_store.deliveries.replay("acme", gone)


def fail_exhausted(store: Store) -> str:
    """A delivery that was given up, whose endpoint is deleted then."""
    endpoint = subscribe(store)
    owed = owe(store, HOOK, endpoint_id=endpoint.id)
    store.deliveries.record([made(one, 500, None) for one in claim(store)])
    store.endpoints.delete("acme", endpoint.id)
    return owed


def test_an_answer_is_kept_within_its_bound(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owed = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    [claimed] = claim(quick_store)
    long = b"x" * (MAX_RESPONSE_BYTES + 1)
    quick_store.deliveries.record([Attempt(claimed, 0.1, 200, None, True, None, response=long)])
    [past] = quick_store.deliveries.attempts("acme", owed)
    assert past.response == long[:-1]


Call = Callable[[Store, str, str], object]
CALLS: list[Call] = [
    lambda store, endpoint, _: store.endpoints.get("other", endpoint),
    lambda store, endpoint, _: store.endpoints.page("other", after=endpoint),
    lambda store, endpoint, _: store.endpoints.change("other", endpoint, {"name": "x"}),
    lambda store, endpoint, _: store.endpoints.rotate("other", endpoint, new_secret()),
    lambda store, endpoint, _: store.endpoints.disable("other", endpoint),
    lambda store, endpoint, _: store.endpoints.enable("other", endpoint),
    lambda store, endpoint, _: store.endpoints.delete("other", endpoint),
    lambda store, endpoint, _: store.deliveries.replay_range("other", endpoint, 0, 9e9),
    lambda store, _, delivery: store.deliveries.get("other", delivery),
    lambda store, _, delivery: store.deliveries.body("other", delivery),
    lambda store, _, delivery: store.deliveries.attempts("other", delivery),
    lambda store, _, delivery: store.deliveries.replay("other", delivery),
    lambda store, endpoint, delivery: store.deliveries.page("other", endpoint, after=delivery),
]


def test_another_tenants_things_are_not_there(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owed = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    for call in CALLS:
        with pytest.raises(NotFound):
            call(quick_store, endpoint.id, owed)
    assert quick_store.endpoints.page("other") == []
    assert quick_store.deliveries.page("other", endpoint.id) == []
    assert quick_store.endpoints.get("acme", endpoint.id) == endpoint


def test_no_secret_is_in_the_database(quick_store: Store) -> None:
    secret, header = new_secret(), "Bearer 秘密-canary"
    endpoint = subscribe(quick_store, secret=secret, headers={"authorization": header})
    quick_store.endpoints.rotate("acme", endpoint.id, new_secret())
    with quick_store.database.read() as connection:
        rows = connection.execute(text("SELECT * FROM webhook_endpoints")).all()
    assert secret.removeprefix("whsec_") not in str(rows)
    assert "canary" not in str(rows)
    assert "秘密" not in str(rows)


def test_a_key_that_does_not_fit_is_told_and_loses_nothing(
    quick_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = subscribe(quick_store)
    waiting = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    own = owe(quick_store, HOOK)
    stranger = Store(quick_store.database, SecretBox("A" * 43 + "="))
    with pytest.raises(ConfigError, match="LEPTON_SECRET_KEY"):
        stranger.endpoints.check_key()
    assert [one.id for one in claim(stranger)] == [own]
    assert "LEPTON_SECRET_KEY" in caplog.text
    assert state_of(quick_store, waiting) == "pending"
    quick_store.endpoints.check_key()
    quick_store.deliveries.replay("acme", waiting)
    [claimed] = claim(quick_store)
    assert (claimed.id, claimed.attempt) == (waiting, 1)


def test_a_tenant_has_so_many_endpoints_and_no_more(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lepton_tasks.store.endpoints.MOST_ENDPOINTS", 2)
    newest = [subscribe(quick_store) for _ in range(2)][::-1]
    with pytest.raises(Conflict, match="delete one"):
        subscribe(quick_store)
    subscribe(quick_store, tenant="other")
    assert quick_store.endpoints.page("acme") == newest
    assert quick_store.endpoints.page("acme", after=newest[0].id) == newest[1:]
