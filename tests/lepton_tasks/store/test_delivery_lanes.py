"""Lanes of deliveries: found with the time of their first, a dead one's backlog passed over."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from lepton_tasks.store import deliveries
from lepton_tasks.store.deliveries import Attempt
from lepton_tasks.store.delivery_lanes import _DUE_LANES, due_lanes, lane_of
from lepton_tasks.store.store import Store
from tests.support.sending import PATIENCE_SECONDS, owe


@pytest.mark.parametrize(
    ("endpoint_id", "url", "lane"),
    [
        ("ep_1", "https://a.test/", "ep_1"),
        (None, "https://A.test:8443/x?y", "a.test"),
        (None, "https://[2001:db8::1]/x", "2001:db8::1"),
        (None, "no url", ""),
        (None, "http://[", ""),
    ],
)
def test_a_lane_is_an_endpoint_or_a_host(endpoint_id: str | None, url: str, lane: str) -> None:
    assert lane_of(endpoint_id, url) == lane


def test_a_lane_is_there_once_however_much_it_is_owed(quick_store: Store) -> None:
    for number in range(3):
        owe(quick_store, f"https://a.test/{number}")
    with quick_store.database.read() as connection:
        assert list(due_lanes(connection)) == ["a.test"]


def test_lanes_are_endpoints_and_hosts_with_the_time_of_their_first(store: Store) -> None:
    owe(store, "https://A.test:8443/x?y")
    owe(store, "https://a.test/")
    owe(store, "https://b.test/")
    lanes = store.deliveries.lanes()
    assert sorted(lanes) == ["a.test", "b.test"]
    assert all(-PATIENCE_SECONDS < wait <= 0 for wait in lanes.values())
    [claimed] = store.deliveries.claim_due(9, 60, {"b.test": 9})
    assert 30 < store.deliveries.lanes()["b.test"] <= 60
    store.deliveries.record([Attempt(claimed, 0.25, 200, None, True, None)])
    assert sorted(store.deliveries.lanes()) == ["a.test"]


def test_a_dead_lanes_backlog_is_not_read_on_the_way_to_the_others(store: Store) -> None:
    sqlite = store.database.dialect == "sqlite"
    bound = {"of_lane": "a.test", "most": 1, "lease": 1.0}
    with store.database.write() as connection:
        if not sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # the table is empty
        for statement, values in ((deliveries._CLAIM_OF_LANE, bound), (_DUE_LANES, {})):
            compiled = statement.compile(store.database.engine)
            named = compiled.construct_params(values)
            explain = f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{compiled}"
            places = tuple(named[name] for name in compiled.positiontup or ())
            plan = connection.exec_driver_sql(explain, places if sqlite else named)
            steps = repr(plan.all())
            assert "ix_deliveries_lane" in steps
            assert "B-TREE" not in steps
            assert "Sort" not in steps
