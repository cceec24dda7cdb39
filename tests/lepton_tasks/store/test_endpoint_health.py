"""What the results of deliveries do to their endpoint, in one transaction."""

from __future__ import annotations

from lepton_tasks.states import EndpointState
from lepton_tasks.store.endpoint_health import Disabled, Result, apply_results
from lepton_tasks.store.store import Store
from tests.support.endpoints import HOOK, age, subscribe
from tests.support.sending import owe, state_of

SIX_DAYS = 6 * 86_400.0


def apply(store: Store, *results: Result) -> list[Disabled]:
    with store.database.write() as connection:
        return apply_results(connection, results)


def state(store: Store, endpoint_id: str) -> EndpointState:
    return store.endpoints.get("acme", endpoint_id).state


def test_a_failure_and_a_success_after_it(store: Store) -> None:
    endpoint = subscribe(store)
    assert apply(store, Result(endpoint.id, False, 500)) == []
    assert state(store, endpoint.id) is EndpointState.FAILING
    assert apply(store, Result(endpoint.id, True, 200)) == []
    assert state(store, endpoint.id) is EndpointState.ACTIVE


def test_an_answer_of_410_disables_at_once_and_holds_what_waits(store: Store) -> None:
    endpoint, other = subscribe(store), subscribe(store)
    waits = owe(store, HOOK, endpoint_id=endpoint.id)
    others = owe(store, HOOK, endpoint_id=other.id)
    [disabled] = apply(store, Result(endpoint.id, False, 410))
    assert disabled == Disabled(endpoint.id, "acme", "its receiver answered 410")
    assert state(store, endpoint.id) is EndpointState.DISABLED
    assert (state_of(store, waits), state_of(store, others)) == ("held", "pending")
    assert apply(store, Result(endpoint.id, False, 410)) == []  # told once


def test_five_days_of_failures_disable(store: Store) -> None:
    endpoint = subscribe(store)
    apply(store, Result(endpoint.id, False, 500))
    age(store, endpoint.id, SIX_DAYS)
    [disabled] = apply(store, Result(endpoint.id, False, None))
    assert "5 days" in disabled.why


def test_results_of_no_endpoint_or_a_deleted_one_change_nothing(store: Store) -> None:
    assert apply(store) == []
    assert apply(store, Result("ep_gone", False, 410)) == []
