from __future__ import annotations

from lepton_tasks.store.database import Database
from lepton_tasks.store.store import Store
from lepton_tasks.supervisor.leases import NodeLeases


def test_a_node_consumes_while_it_holds_a_lease(store: Store) -> None:
    store.leases.register("worker_1", "gpu-0@here", ["moderation"], 60.0)
    leases = NodeLeases(store)
    assert leases.held("gpu-0@here")
    assert not leases.held("gpu-1@here")
    leases.end("gpu-0@here")
    assert not leases.held("gpu-0@here")
    assert store.leases.alive() == []


def test_a_database_that_is_away_is_waited_for() -> None:
    store = Store(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    leases = NodeLeases(store)
    assert not leases.held("gpu-0@here")
    leases.end("gpu-0@here")
    store.close()
