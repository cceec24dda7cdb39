"""Claiming, recording and giving back deliveries, on both databases."""

from __future__ import annotations

from dataclasses import replace

from lepton_tasks.store.deliveries import Attempt, Delivery
from lepton_tasks.store.store import Store
from tests.support.sending import attempts_of, owe, state_of

HOOK = "https://hooks.example.test/a"


def made(delivery: Delivery, status: int = 200, retry_in: float | None = None) -> Attempt:
    ok = status == 200
    return Attempt(delivery, 0.25, status, None if ok else f"status {status}", ok, retry_in)


def claim_one(store: Store, lease: float = 60.0) -> Delivery:
    [claimed] = store.deliveries.claim_due(10, lease)
    return claimed


def test_a_claim_takes_what_is_due_longest_and_no_more_than_asked(store: Store) -> None:
    owed = [owe(store, HOOK) for _ in range(5)]
    first = {one.id for one in store.deliveries.claim_due(2, 60)}
    assert first == set(owed[:2])
    assert {one.id for one in store.deliveries.claim_due(10, 60)} == set(owed[2:])
    assert store.deliveries.claim_due(10, 60) == []


def test_a_claim_whose_lease_ran_out_is_due_again_with_a_new_fence(store: Store) -> None:
    owe(store, HOOK)
    stale = claim_one(store, lease=0.0)
    fresh = claim_one(store)
    assert (fresh.id, fresh.attempt, fresh.fence) == (stale.id, 2, stale.fence + 1)
    store.deliveries.record([made(stale)])
    store.deliveries.release([(stale, 0.0)])
    assert state_of(store, stale.id) == "sending"
    assert attempts_of(store, stale.id) == []


def test_results_of_every_kind_in_one_go(store: Store) -> None:
    good, bad, worst = owe(store, HOOK), owe(store, HOOK), owe(store, HOOK)
    claimed = {one.id: one for one in store.deliveries.claim_due(10, 60)}
    store.deliveries.record(
        [made(claimed[good]), made(claimed[bad], 500, 0.0), made(claimed[worst], 410)]
    )
    states = [state_of(store, one) for one in (good, bad, worst)]
    assert states == ["delivered", "pending", "exhausted"]
    assert attempts_of(store, worst) == [(1, 410, "status 410")]
    again = claim_one(store)
    assert (again.id, again.attempt, again.body) == (bad, 2, claimed[bad].body)


def test_recording_twice_is_recording_once(store: Store) -> None:
    owe(store, HOOK)
    claimed = claim_one(store)
    for _ in range(2):
        store.deliveries.record([made(claimed, 500, 3600.0)])
    assert attempts_of(store, claimed.id) == [(1, 500, "status 500")]
    assert store.deliveries.claim_due(10, 60) == []
    [wait] = store.deliveries.lanes().values()
    assert 3500 < wait <= 3600


def test_what_is_given_back_counts_no_attempt(store: Store) -> None:
    owe(store, HOOK)
    claimed = claim_one(store)
    store.deliveries.release([(claimed, 0.0)])
    assert claim_one(store) == replace(claimed, fence=claimed.fence + 1)


def test_a_claim_by_lanes_takes_from_these_and_passes_over_the_rest(store: Store) -> None:
    hosts = ["dead.test", "well.test", "other.test"]
    owed = {host: [owe(store, f"https://{host}/{n}") for n in range(5)] for host in hosts}
    taken = store.deliveries.claim_due(100, 60, {"well.test": 2, "other.test": 9, "none": 3})
    assert {one.id for one in taken} == {*owed["well.test"][:2], *owed["other.test"]}
    assert (
        store.deliveries.claim_due(1, 60, {"well.test": 9, "dead.test": 9})[0].lane == "well.test"
    )


def test_nothing_open_has_no_lanes(store: Store) -> None:
    assert store.deliveries.lanes() == {}
    store.deliveries.record([])
    store.deliveries.release([])
