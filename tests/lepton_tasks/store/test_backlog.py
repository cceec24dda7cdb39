"""The backlog is read by walking an index, whatever its length, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, literal, select, text

from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.store.backlog import count_published, has_backlog
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow
from lepton_tasks.window import Allowance

NORMAL = Priority.NORMAL
FUTURE = 4_000_000_000.0


def a_job(tenant: str, cost: int = 1, **changes: Any) -> NewJob:
    return NewJob(tenant, "moderation", Payload(("好",), single=True), cost, **changes)


def put(store: Store, *jobs: NewJob, published: bool = False) -> list[str]:
    allow = (lambda _: Allowance(10_000)) if published else (lambda _: Allowance(0))
    store.jobs.insert_groups([jobs], allow)
    return [job.id for job in jobs]


def test_queues_are_those_with_anything_unpublished(store: Store) -> None:
    put(store, a_job("a"), a_job("b", priority=Priority.BULK))
    put(store, a_job("a", priority=Priority.HIGH), published=True)
    put(store, NewJob("a", "translation", Payload(("x",), single=True), 1, run_at=FUTURE))
    queues = [("moderation", "normal"), ("translation", "normal"), ("moderation", "bulk")]
    assert store.outbox.backlog_queues() == queues
    assert store.outbox.unpublished_queues() == [queues[0], queues[2]]


def test_tenants_come_in_a_ring(store: Store) -> None:
    for tenant in "cabde":
        put(store, a_job(tenant), a_job(tenant))
    put(store, a_job("later", run_at=FUTURE), a_job("elsewhere", priority=Priority.HIGH))
    put(store, a_job("in redis"), published=True)
    with store.outbox.backlog("moderation", NORMAL) as backlog:
        assert backlog.tenants("", False, 10) == list("abcde")
        assert backlog.tenants("c", False, 10) == list("deabc")
        assert backlog.tenants("c", True, 10) == list("cdeab")
        assert backlog.tenants("c", True, 3) == list("cde")
        assert backlog.tenants("d", False, 3) == list("eab")
        assert backlog.tenants("gone", True, 10) == list("abcde")


def test_a_tenants_jobs_come_oldest_first_page_by_page(store: Store) -> None:
    ids = put(store, *(a_job("a", cost=n) for n in range(1, 24)))
    put(store, a_job("a", run_at=FUTURE), a_job("b"))
    [oldest] = put(store, a_job("a", run_at=5.0))
    with store.outbox.backlog("moderation", NORMAL) as backlog:
        assert [job.id for job in backlog.jobs("a", 10)] == [oldest, *ids]
        assert [job.cost for job in backlog.jobs("a", 24)] == [1, *range(1, 24)]
        assert list(backlog.jobs("nobody", 10)) == []


def test_a_tenant_has_a_backlog_while_something_due_waits(store: Store) -> None:
    put(store, a_job("later", run_at=FUTURE), a_job("due"))
    put(store, *(a_job("in redis") for _ in range(5)), published=True)
    with store.database.read() as connection:
        known = {
            tenant: has_backlog(connection, "moderation", NORMAL, tenant, 3_000_000_000.0)
            for tenant in ("later", "due", "in redis", "nobody")
        }
        assert known == {"later": False, "due": True, "in redis": False, "nobody": False}
        counts = [
            count_published(connection, "moderation", NORMAL, "in redis", most)
            for most in (3, 5, 100)
        ]
        assert counts == [3, 5, 5]
        assert count_published(connection, "moderation", NORMAL, "due", 9) == 0


def test_a_tenants_queued_jobs_are_counted_whatever_they_wait_for(store: Store) -> None:
    ids = put(store, *(a_job("a") for _ in range(4)))
    put(store, *(a_job("a") for _ in range(3)), published=True)
    put(store, a_job("a", run_at=FUTURE), a_job("b"), a_job("a", priority=Priority.BULK))
    store.jobs.cancel("a", ids[0])
    assert len(store.claims.claim("w1", ids[1:2])) == 1
    for most, counted in ((2, 2), (5, 5), (100, 6)):
        assert store.jobs.count_queued("a", "moderation", NORMAL, most) == counted
    assert store.jobs.count_queued("nobody", "moderation", NORMAL, 100) == 0


def test_each_job_is_marked_by_one_alone(store: Store) -> None:
    ids = put(store, *(a_job("a") for _ in range(6)))
    store.jobs.cancel("a", ids[0])
    assert store.outbox.mark_published(ids[:4]) == set(ids[1:4])
    assert store.outbox.mark_published(ids) == set(ids[4:])
    assert store.outbox.mark_published([]) == set()
    store.jobs.unpublish(ids[2:3])
    assert store.outbox.mark_published(ids) == {ids[2]}


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """What the block sends to the database, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        seen.append((call[2], call[3]))

    event.listen(store.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.database.engine, "before_cursor_execute", note)


def plan(connection: Connection, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.fixture
def many(store: Store) -> Store:
    """Rows enough that nothing is read whole for lack of a better way; the first are long done."""
    put(store, a_job("old", ttl_seconds=1e6))
    table = JobRow.__table__  # type: ignore[attr-defined]
    with store.database.write() as connection:
        for doubling in range(16):
            changed = {"id": table.c.id + f"_{doubling}", "state": literal("succeeded")}
            columns = [changed.get(column.name, column).label(column.name) for column in table.c]
            copies = select(*columns).where(table.c.tenant == "old")
            connection.execute(table.insert().from_select([c.name for c in table.c], copies))
    for tenant in ("a", "b"):
        put(store, *(a_job(tenant, ttl_seconds=1e6) for _ in range(2_000)))
    if store.database.dialect == "postgresql":
        with store.database.write() as connection:
            connection.execute(text("ANALYZE jobs"))
    return store


def test_every_statement_walks_an_index(many: Store) -> None:
    with statements(many) as seen:
        many.jobs.insert_groups([[a_job("a"), a_job("new")]], lambda _: Allowance(9, 3))
        many.outbox.unpublished_queues()
        with many.outbox.backlog("moderation", NORMAL) as backlog:
            assert backlog.tenants("a", True, 10) == ["a", "b", "old"]
            ids = [job.id for _, job in zip(range(60), backlog.jobs("b", 25), strict=False)]
        many.outbox.mark_published(ids)
        many.outbox.overdue(0.0, 100)
        many.outbox.forget_published(ids[:10])
        many.outbox.expire_deadlines()
        assert many.jobs.backlog() == {("moderation", "normal"): 4_003}
        many.jobs.unpublish(ids)
        assert many.jobs.count_queued("a", "moderation", NORMAL, 5_000) == 2_001
    with many.database.read() as connection:
        for statement, parameters in seen:
            if "jobs" not in statement or statement.lstrip().startswith("INSERT"):
                continue
            steps = plan(connection, statement, parameters)
            read_whole = [
                step
                for step in steps.splitlines()
                if "Seq Scan on jobs" in step or ("SCAN jobs" in step and "INDEX" not in step)
            ]
            assert not read_whole, f"{statement}\n{steps}"
