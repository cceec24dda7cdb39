"""One order, one batch: by its key, or as a stock client sends it again; a tenant's own."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from lepton_tasks.errors import IdempotencyConflict, InvalidInput, NotFound
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_orders import RESENT_SECONDS
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.store import Store
from tests.support.orders import a_file, an_order, ordered, put

batches = BatchRow.__table__  # type: ignore[attr-defined]


@pytest.fixture
def store(quick_store: Store) -> Store:
    """One with a file of the tenant ``acme``, ``file_1``."""
    a_file(quick_store)
    return quick_store


def test_everything_of_an_order_is_stored(store: Store) -> None:
    order = an_order(
        "key",
        completion_window="2h",
        metadata={"项目": "评论"},
        output_expires_after={"anchor": "created_at", "seconds": 7200},
        priority="normal",
        webhook="https://example.test/hook",
    )
    made = store.batch_orders.create("acme", "batch_1", order)
    assert not made.replayed
    batch = store.batches.get("acme", "batch_1")
    assert batch == made.batch
    assert (batch.state, batch.task, batch.endpoint) == (
        BatchState.VALIDATING,
        "moderation",
        "/v1/moderations",
    )
    assert (batch.priority, batch.metadata) == (Priority.NORMAL, {"项目": "评论"})
    assert (batch.input_file_id, batch.completion_window) == ("file_1", "2h")
    assert batch.expires_at == pytest.approx(batch.created_at + 7200)
    assert batch.output_seconds == 7200
    assert batch.lines == (0, 0, 0)
    assert (batch.errors, batch.usage, batch.finished_at) == (None, None, None)
    with store.database.read() as connection:
        row = connection.execute(select(batches)).one()
    assert (row.webhook, row.idempotency_key) == ("https://example.test/hook", "key")
    assert (row.runner, row.runner_until, row.runner_fence) == (None, None, 0)


def test_who_keeps_as_much_as_it_may_makes_no_batch(store: Store) -> None:
    orders, kept = store.batch_orders, store.files.bytes_of("acme")
    orders.create("acme", "batch_1", an_order("key"), tenant_bytes=kept + 1)
    with pytest.raises(InvalidInput) as refused:
        orders.create("acme", "batch_2", an_order("more"), tenant_bytes=kept)
    assert refused.value.code == "files_full"
    assert orders.create("acme", "batch_3", an_order("key"), tenant_bytes=kept).replayed


def test_a_key_makes_one_batch(store: Store) -> None:
    orders = store.batch_orders
    first = orders.create("acme", "batch_1", an_order("key"))
    again = orders.create("acme", "batch_2", an_order("key"))
    assert again.replayed and again.batch == first.batch
    assert orders.earlier("acme", an_order("key")) == again
    mine = an_order("key", input_file_id="file_2")
    a_file(store, "file_2", "other")
    assert not orders.create("other", "batch_3", mine).replayed
    other = an_order("key", completion_window="1h")
    with pytest.raises(IdempotencyConflict):
        orders.create("acme", "batch_4", other)
    with pytest.raises(IdempotencyConflict):
        orders.earlier("acme", other)


def test_a_key_sent_many_times_at_once_makes_one_batch(store: Store) -> None:
    found: list[str] = []

    def send(number: int) -> None:
        made = store.batch_orders.create("acme", f"batch_{number}", an_order("key"))
        found.append(made.batch.id)

    threads = [threading.Thread(target=send, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_an_order_that_is_sent_again_without_a_key(store: Store) -> None:
    orders = store.batch_orders
    assert orders.earlier("acme", an_order(), resent=True) is None
    first = orders.create("acme", "batch_1", an_order(), resent=True)
    assert not first.replayed
    assert orders.create("acme", "batch_2", an_order(), resent=True).batch.id == "batch_1"
    assert orders.earlier("other", an_order(), resent=True) is None
    assert not orders.create("acme", "batch_4", an_order(priority="high"), resent=True).replayed
    assert not orders.create("acme", "batch_5", an_order()).replayed
    assert orders.create("acme", "batch_6", an_order(), resent=True).batch.id == "batch_5"
    for batch_id in ("batch_1", "batch_5"):
        put(store, batch_id, created_at=first.batch.created_at - RESENT_SECONDS - 1)
    assert orders.earlier("acme", an_order(), resent=True) is None


def test_a_batch_with_a_key_is_not_that_of_an_order_without(store: Store) -> None:
    store.batch_orders.create("acme", "batch_1", an_order("key"))
    assert not store.batch_orders.create("acme", "b", an_order(), resent=True).replayed


def test_many_batches_without_a_key(store: Store) -> None:
    assert len({ordered(store).id for _ in range(3)}) == 3


@pytest.mark.parametrize("tenant", ["acme", "other"])
def test_a_file_that_the_tenant_does_not_have(store: Store, tenant: str) -> None:
    a_file(store, "file_2", "acme" if tenant == "other" else "other")
    with pytest.raises(NotFound):
        store.batch_orders.create(tenant, "batch_1", an_order(input_file_id="file_2"))
    assert store.batches.page(tenant) == []
