"""Batches of uploaded files in a store, without any file."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from lepton_tasks.batches.orders import BatchOrder, read_order
from lepton_tasks.ids import new_id
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.file_tables import FileRow
from lepton_tasks.store.store import Store

files = FileRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]


def a_file(store: Store, file_id: str = "file_1", tenant: str = "acme", **columns: Any) -> None:
    """The row of a tenant's file; its content is nowhere."""
    row = {"purpose": "batch", "filename": "a.jsonl", "bytes": 1, "created_at": 1.0} | columns
    with store.database.write() as connection:
        connection.execute(files.insert().values(id=file_id, tenant=tenant, **row))


def an_order(key: str | None = None, **fields: Any) -> BatchOrder:
    """An order of a moderation batch, with other fields where given."""
    return read_order({"input_file_id": "file_1", "endpoint": "/v1/moderations"} | fields, key)


def ordered(store: Store, tenant: str = "acme", **fields: Any) -> Batch:
    """A new batch of a new file."""
    file_id = new_id("file")
    a_file(store, file_id, tenant)
    fields = {"input_file_id": file_id} | fields
    return store.batch_orders.create(tenant, new_id("batch"), an_order(**fields)).batch


def put(store: Store, batch_id: str, **columns: Any) -> None:
    """Set columns of a batch, as whoever runs it does."""
    with store.database.write() as connection:
        connection.execute(update(batches).where(batches.c.id == batch_id).values(columns))
