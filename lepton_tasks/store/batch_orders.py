"""Ordering batches of uploaded files: each order makes one batch, however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Select, select
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.batches.orders import BatchOrder
from lepton_tasks.errors import IdempotencyConflict, StoreUnavailable
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.batches import SHOWN, Batch, view
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.files import check_room, hold_file

batches = BatchRow.__table__  # type: ignore[attr-defined]

RESENT_SECONDS: Final = 900.0
"""How long an order without a key is found again: stock clients give up on an answer after 600."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """The batch of an order. ``replayed`` tells that an earlier sending of it had made it."""

    batch: Batch
    replayed: bool


class BatchOrderStore:
    """Orders of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        tenant: str,
        batch_id: str,
        order: BatchOrder,
        *,
        resent: bool = False,
        tenant_bytes: int = 0,
    ) -> Ordered:
        """Make the batch of an order, which a runner then finds; or find the one it made before.

        An order has been sent before if its key was, or if it has none and was ``resent``:
        then an equal one of the last :data:`RESENT_SECONDS` is the same.

        Its file cannot be deleted from then on until the batch has ended.

        ``tenant_bytes`` is the most that the tenant may keep, 0 for any: what a batch makes is
        kept, too, so who keeps as much already makes none.

        Raises:
            InvalidInput: ``files_full``.
            NotFound: the tenant has no such file.
            IdempotencyConflict: the key was used before for another order.
        """

        def work(connection: Connection) -> Ordered:
            earlier = _earlier(connection, tenant, order, resent=resent)
            if earlier is not None:
                return earlier
            check_room(connection, tenant, 1, tenant_bytes)
            hold_file(connection, tenant, order.input_file_id)
            made = _insert(connection, _row(connection, tenant, batch_id, order))
            if made is not None:
                return Ordered(made, replayed=False)
            earlier = _earlier(connection, tenant, order, resent=resent)
            if earlier is None:
                raise StoreUnavailable("the batch of this key was deleted just now; send it again")
            return earlier

        return self._database.transact(work)

    def earlier(self, tenant: str, order: BatchOrder, *, resent: bool = False) -> Ordered | None:
        """The batch that an order made before, None where it is new; see :meth:`create`.

        Raises:
            IdempotencyConflict: the key was used before for another order.
        """
        with self._database.read() as connection:
            return _earlier(connection, tenant, order, resent=resent)


def _earlier(
    connection: Connection, tenant: str, order: BatchOrder, *, resent: bool
) -> Ordered | None:
    found: Select[Any] = select(*SHOWN, batches.c.body_hash).where(batches.c.tenant == tenant)
    if order.idempotency_key is not None:
        found = found.where(batches.c.idempotency_key == order.idempotency_key)
    elif resent:
        found = found.where(
            batches.c.created_at > now() - RESENT_SECONDS,
            batches.c.idempotency_key.is_(None),
            batches.c.body_hash == order.body_hash(),
        )
    else:
        return None
    row = connection.execute(found.order_by(batches.c.created_at.desc()).limit(1)).first()
    if row is None:
        return None
    if row.body_hash != order.body_hash():
        raise IdempotencyConflict(
            "this Idempotency-Key was used before for another batch; use a new key"
        )
    return Ordered(view(row), replayed=True)


def _row(connection: Connection, tenant: str, batch_id: str, order: BatchOrder) -> dict[str, Any]:
    clock: float = connection.execute(select(now())).scalar_one()
    return {
        "id": batch_id,
        "tenant": tenant,
        "task": order.task,
        "priority": order.priority,
        "state": BatchState.VALIDATING,
        "source": order.input_file_id,
        "sealed": False,
        "total_items": 0,
        "done_items": 0,
        "failed_items": 0,
        "webhook": order.webhook,
        "metadata": orjson.dumps(dict(order.metadata)).decode(),
        "created_at": clock,
        "endpoint": order.endpoint,
        "input_file_id": order.input_file_id,
        "completion_window": order.window,
        "output_seconds": order.output_seconds,
        "expires_at": clock + order.seconds,
        "idempotency_key": order.idempotency_key,
        "body_hash": order.body_hash(),
    }


def _insert(connection: Connection, row: dict[str, Any]) -> Batch | None:
    """Insert a batch; None where another one has its key meanwhile."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(batches).values(row)
    keys = ["tenant", "idempotency_key"]
    made = connection.execute(
        insert.on_conflict_do_nothing(index_elements=keys).returning(*SHOWN)
    ).first()
    return None if made is None else view(made)
