"""A tenant's deliveries as it may see them, and what it may ask to be sent again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lepton_tasks.errors import Conflict, NotFound
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.deliveries import Attempt
from lepton_tasks.store.store import Store
from tests.support.endpoints import HOOK, created, subscribe
from tests.support.sending import owe, state_of


def sent(store: Store, delivery_id: str, status: int = 200, retry_in: float | None = None) -> None:
    """Let a delivery that is due be answered."""
    claimed = {one.id: one for one in store.deliveries.claim_due(50, 60)}
    ok = status == 200
    error = None if ok else f"status {status}"
    store.deliveries.record([Attempt(claimed[delivery_id], 0.5, status, error, ok, retry_in)])


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, one: store.deliveries.get("other", one),
        lambda store, one: store.deliveries.body("other", one),
        lambda store, one: store.deliveries.attempts("other", one),
        lambda store, one: store.deliveries.replay("other", one),
    ],
)
def test_another_tenants_delivery_is_not_found(
    quick_store: Store, ask: Callable[[Store, str], object]
) -> None:
    delivery_id = owe(quick_store, HOOK)
    with pytest.raises(NotFound, match=delivery_id):
        ask(quick_store, delivery_id)


def test_a_delivery_is_shown_with_its_body_and_how_it_went(quick_store: Store) -> None:
    delivery_id = owe(quick_store, HOOK)
    sent(quick_store, delivery_id, 500, 0.0)
    sent(quick_store, delivery_id)
    history = quick_store.deliveries
    view = history.get("acme", delivery_id)
    assert (view.state, view.attempt, view.url) == (DeliveryState.DELIVERED, 2, HOOK)
    assert "你好".encode() in history.body("acme", delivery_id)
    seen = [(one.attempt, one.status, one.error) for one in history.attempts("acme", delivery_id)]
    assert seen == [(1, 500, "status 500"), (2, 200, None)]
    assert [one.attempt for one in history.attempts("acme", delivery_id, limit=1)] == [2]
    assert history.counts("acme") == {"delivered": 1}
    assert history.counts("other") == {}


def test_pages_go_from_the_newest_on_and_keep_to_a_state(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owed = [owe(quick_store, HOOK, endpoint_id=endpoint.id) for _ in range(3)]
    for number, one in enumerate(owed):
        created(quick_store, one, 100.0 + number)
    page = quick_store.deliveries.page
    first = page("acme", endpoint.id, limit=2)
    assert [one.id for one in first] == [owed[2], owed[1]]
    assert [one.id for one in page("acme", endpoint.id, after=owed[1])] == [owed[0]]
    assert page("acme", endpoint.id, state=DeliveryState.DELIVERED) == []
    assert page("other", endpoint.id) == []
    with pytest.raises(NotFound):
        page("acme", endpoint.id, after="dlv_none")


def test_a_delivery_goes_out_again_in_a_round_of_its_own(quick_store: Store) -> None:
    delivery_id = owe(quick_store, HOOK)
    sent(quick_store, delivery_id)
    again = quick_store.deliveries.replay("acme", delivery_id)
    assert (again.id, again.state, again.round) == (delivery_id, DeliveryState.PENDING, 2)
    assert [one.id for one in quick_store.deliveries.claim_due(5, 60)] == [delivery_id]


def test_a_deleted_endpoint_gets_nothing_again(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    delivery_id = owe(quick_store, HOOK, endpoint_id=endpoint.id)
    sent(quick_store, delivery_id)
    quick_store.endpoints.delete("acme", endpoint.id)
    with pytest.raises(Conflict, match="deleted"):
        quick_store.deliveries.replay("acme", delivery_id)


def test_a_range_takes_the_undelivered_step_by_step(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    owed = [owe(quick_store, HOOK, endpoint_id=endpoint.id) for _ in range(4)]
    for number, one in enumerate(owed):
        created(quick_store, one, 100.0 + number)
    claimed = {one.id: one for one in quick_store.deliveries.claim_due(50, 60)}
    quick_store.deliveries.record(
        [
            Attempt(claimed[owed[0]], 0.5, 200, None, True, None),
            *(Attempt(claimed[one], 0.5, 500, "status 500", False, None) for one in owed[1:]),
        ]
    )
    replay = quick_store.deliveries.replay_range
    step = replay("acme", endpoint.id, 0.0, 103.0, limit=1)
    assert (step.count, step.last_id, step.has_more) == (1, owed[1], True)
    step = replay("acme", endpoint.id, 0.0, 103.0, after=step.last_id, limit=5)
    assert (step.count, step.last_id, step.has_more) == (1, owed[2], False)
    assert replay("acme", endpoint.id, 0.0, 103.0).count == 0
    assert state_of(quick_store, owed[0]) == "delivered"


def test_what_is_cancelled_is_not_sent(quick_store: Store) -> None:
    delivery_id = owe(quick_store, HOOK)
    quick_store.deliveries.cancel("other", delivery_id)
    assert state_of(quick_store, delivery_id) == "pending"
    quick_store.deliveries.cancel("acme", delivery_id)
    assert state_of(quick_store, delivery_id) == "cancelled"
    assert quick_store.deliveries.claim_due(5, 60) == []
