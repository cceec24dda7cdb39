from __future__ import annotations

import pytest

from lepton_tasks.store.deliveries import Attempt
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.parting import let_go
from tests.support.endpoints import HOOK
from tests.support.sending import owe


def test_with_nothing_owed_nobody_waits(store: Store) -> None:
    assert let_go(store.deliveries, 0.0)


def test_what_is_owed_is_waited_for(store: Store) -> None:
    owe(store, HOOK)
    looks = 0

    def sent_at_the_third_look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            [delivery] = store.deliveries.claim_due(9, 60.0)
            store.deliveries.record([Attempt(delivery, 0.1, 200, None, True, None)])

    assert let_go(store.deliveries, 60.0, sent_at_the_third_look)
    assert looks == 3


def test_not_for_ever_and_not_beyond_an_error(store: Store) -> None:
    owe(store, HOOK)
    assert not let_go(store.deliveries, 0.2)

    def broken() -> None:
        raise RuntimeError("the sender died")

    with pytest.raises(RuntimeError, match="died"):
        let_go(store.deliveries, 60.0, broken)
