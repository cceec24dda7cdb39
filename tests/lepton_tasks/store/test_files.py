"""Files in the store: each tenant's own, counted, kept while they are read, and then swept."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, update

from lepton_tasks.errors import Conflict, InvalidInput, NotFound
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.file_tables import FileRow
from lepton_tasks.store.files import PAGE, File, hold_file
from lepton_tasks.store.store import Store
from tests.support.plans import scans

files = FileRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]
TENANT = "acme"
DAY = 86_400.0


def a_file(
    store: Store, tenant: str = TENANT, size: int = 10, seconds: float | None = None
) -> File:
    return store.files.create(tenant, new_id("file"), "batch", "评论.jsonl", size, seconds)


def a_batch(store: Store, file_id: str) -> str:
    batch_id = new_id("batch")
    store.batches.create(TENANT, batch_id, "moderation", Priority.BULK, "a.jsonl")
    with store.database.write() as connection:
        connection.execute(
            update(batches).where(batches.c.id == batch_id).values(input_file_id=file_id)
        )
    return batch_id


def age(store: Store, seconds: float) -> None:
    with store.database.write() as connection:
        connection.execute(
            update(files).values(
                created_at=files.c.created_at - seconds, expires_at=files.c.expires_at - seconds
            )
        )


def test_a_file_is_read_back_by_its_tenant_alone(quick_store: Store) -> None:
    made = a_file(quick_store, seconds=3600)
    assert quick_store.files.get(TENANT, made.id) == made
    assert (made.filename, made.purpose, made.size) == ("评论.jsonl", "batch", 10)
    assert made.expires_at == pytest.approx(made.created_at + 3600, abs=1e-3)
    assert a_file(quick_store).expires_at is None
    for act in (quick_store.files.get, quick_store.files.delete):
        with pytest.raises(NotFound):
            act("other", made.id)


def test_pages_in_both_orders(quick_store: Store) -> None:
    made = [a_file(quick_store).id for _ in range(3)]
    a_file(quick_store, "other")
    output = quick_store.files.create(TENANT, new_id("file"), "batch_output", "o.jsonl", 1)
    ids = [*made, output.id]

    def page(**how: object) -> list[str]:
        return [one.id for one in quick_store.files.page(TENANT, **how)]  # type: ignore[arg-type]

    assert page() == ids[::-1]
    assert page(oldest=True) == ids
    assert page(after=ids[2], limit=1) == [ids[1]]
    assert page(after=ids[0], oldest=True, limit=2) == ids[1:3]
    assert page(purpose="batch_output") == [output.id]
    with pytest.raises(NotFound):
        quick_store.files.page("other", after=ids[0])


def test_a_tenant_keeps_no_more_than_it_may(quick_store: Store) -> None:
    store = quick_store
    first = a_file(store, size=60)
    a_file(store, "other", size=1_000)
    assert store.files.bytes_of(TENANT) == 60
    with pytest.raises(InvalidInput, match="LEPTON_TENANT_FILE_BYTES") as refused:
        store.files.create(TENANT, new_id("file"), "batch", "b", 41, tenant_bytes=100)
    assert (refused.value.param, refused.value.code) == ("file", "files_full")
    store.files.create(TENANT, new_id("file"), "batch", "b", 40, tenant_bytes=100)
    store.files.delete(TENANT, first.id)
    assert store.files.bytes_of(TENANT) == 40


def test_files_that_come_at_once_do_not_pass_the_bound_together(quick_store: Store) -> None:
    refused: list[str] = []

    def put() -> None:
        try:
            quick_store.files.create(TENANT, new_id("file"), "batch", "a", 10, tenant_bytes=30)
        except InvalidInput as error:
            refused.append(error.code)

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (refused, quick_store.files.bytes_of(TENANT)) == (["files_full"] * 3, 30)


def test_a_file_stays_while_a_batch_reads_it(quick_store: Store) -> None:
    store = quick_store
    made = a_file(store, seconds=3600)
    batch_id = a_batch(store, made.id)
    with pytest.raises(Conflict, match=batch_id) as refused:
        store.files.delete(TENANT, made.id)
    assert refused.value.code == "file_in_use"
    age(store, 2 * 3600)
    assert store.files.sweep(0.0) == []
    assert store.files.open_batches([batch_id, "batch_x"]) == {batch_id}
    store.batches.cancel(TENANT, batch_id)
    assert store.files.open_batches([batch_id]) == set()
    assert store.files.sweep(0.0) == [made.id]


def test_a_file_that_is_held_is_deleted_only_after_the_batch_is_seen(store: Store) -> None:
    if store.database.dialect == "sqlite":
        return  # one writes at a time
    made = a_file(store, seconds=1)
    age(store, 10)
    deleting = threading.Event()
    ends: list[str] = []

    def delete() -> None:
        deleting.set()
        try:
            store.files.delete(TENANT, made.id)
        except Conflict as error:
            ends.append(error.code)

    def make_batch(connection: Connection) -> str:
        assert hold_file(connection, TENANT, made.id) == store.files.get(TENANT, made.id)
        thread.start()
        deleting.wait()
        assert store.files.sweep(0.0) == []
        return a_batch_in(connection, made.id)

    def a_batch_in(connection: Connection, file_id: str) -> str:
        store.batches.create(TENANT, batch_id, "moderation", Priority.BULK, "a.jsonl")
        connection.execute(
            update(batches).where(batches.c.id == batch_id).values(input_file_id=file_id)
        )
        return batch_id

    thread = threading.Thread(target=delete)
    batch_id = new_id("batch")
    store.database.transact(make_batch)
    thread.join()
    assert ends == ["file_in_use"]


def test_what_is_deleted_cannot_be_held(quick_store: Store) -> None:
    made = a_file(quick_store)
    quick_store.files.delete(TENANT, made.id)
    with quick_store.database.write() as connection, pytest.raises(NotFound):
        hold_file(connection, TENANT, made.id)


def test_files_go_by_their_own_time_or_by_everybodys(quick_store: Store) -> None:
    store = quick_store
    own, others, plain = (
        a_file(store, seconds=2 * DAY),
        a_file(store, "other"),
        a_file(store),
    )
    age(store, DAY)
    assert store.files.sweep(30 * DAY) == []
    age(store, 1.5 * DAY)
    assert store.files.sweep(30 * DAY) == [own.id]
    age(store, 30 * DAY)
    assert store.files.sweep(0.0) == []
    assert store.files.known([own.id, others.id, plain.id]) == {others.id, plain.id}
    assert set(store.files.sweep(30 * DAY)) == {others.id, plain.id}


def test_a_sweep_takes_a_page_and_no_statement_reads_all(quick_store: Store) -> None:
    store = quick_store
    with store.database.write() as connection:
        connection.execute(
            files.insert(),
            [
                {
                    "id": f"file_{number}",
                    "tenant": TENANT,
                    "purpose": "batch",
                    "filename": "a",
                    "bytes": 1,
                    "created_at": 1.0,
                    "expires_at": 2.0 if number % 2 else None,
                }
                for number in range(2 * PAGE + 2)
            ],
        )
    with scans(store, "files") as whole, scans(store, "batches") as read:
        first = store.files.sweep(DAY)
    assert len(first) == 2 * PAGE or len(first) == PAGE
    assert (whole, read) == ([], [])
    rest = [*store.files.sweep(DAY), *store.files.sweep(DAY)]
    assert len({*first, *rest}) == 2 * PAGE + 2
