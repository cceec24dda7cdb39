from __future__ import annotations

from lepton_tasks.in_work import InWork
from lepton_tasks.store.database import Database
from lepton_tasks.store.store import Store
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.progress import LastWords
from tests.support.lives import a_job, queued


def test_a_node_consumes_while_it_holds_a_lease(store: Store) -> None:
    store.leases.register("worker_1", "gpu-0@here", ["moderation"], 60.0)
    leases = NodeLeases(store)
    assert leases.held("gpu-0@here")
    assert not leases.held("gpu-1@here")
    leases.end("gpu-0@here", None)  # died before it could hold one: this one is another's
    assert [one.id for one in store.leases.alive()] == ["worker_1"]
    leases.end("gpu-0@here", LastWords("worker_1", InWork.of([])))
    assert not leases.held("gpu-0@here")
    assert store.leases.alive() == []


def test_a_database_that_is_away_is_told_later(store: Store) -> None:
    store.leases.register("worker_1", "gpu-0@here", ["moderation"], 60.0)
    job_id = queued(store, a_job())
    store.claims.claim("worker_1", job_id)
    away = Store(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    leases = NodeLeases(away)
    assert not leases.held("gpu-0@here")
    leases.end("gpu-0@here", LastWords("worker_1", InWork.of([(job_id[0], 0)])))
    away.close()
    leases._store, leases._asked_at = store, float("-inf")
    assert not leases.held("gpu-0@here")
    assert store.recovery.recover().suspects == 1
