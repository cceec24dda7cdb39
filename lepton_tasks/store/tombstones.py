"""What is left of deleted jobs, so that nothing late runs them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, literal_column, select, tuple_

from lepton_tasks.errors import Gone, NotFound
from lepton_tasks.store.database import now
from lepton_tasks.store.tables import JobRow, TombstoneRow

jobs = JobRow.__table__  # type: ignore[attr-defined]
tombstones = TombstoneRow.__table__  # type: ignore[attr-defined]

_KEPT = ["id", "tenant", "idempotency_key", "body_hash"]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted job by its idempotency key."""

    id: str
    body_hash: str | None


def bury(connection: Connection, job_ids: Sequence[str]) -> int:
    """Delete jobs and leave their tombstones; returns how many."""
    if not job_ids:
        return 0
    old = select(*[jobs.c[name] for name in _KEPT], now()).where(jobs.c.id.in_(job_ids))
    connection.execute(insert(tombstones).from_select([*_KEPT, "deleted_at"], old))
    gone: int = connection.execute(delete(jobs).where(jobs.c.id.in_(job_ids))).rowcount
    return gone


def missing(connection: Connection, job_id: str, tenant: str | None = None) -> NotFound:
    """Why there is no such job: it never was, or (Gone) it was deleted."""
    query: Select[Any] = select(literal_column("1")).where(tombstones.c.id == job_id)
    if tenant is not None:
        query = query.where(tombstones.c.tenant == tenant)
    if connection.execute(query).first() is None:
        return NotFound(f"no job {job_id}")
    return Gone(f"job {job_id} was deleted, with its texts and results")


def buried(connection: Connection, job_ids: Collection[str]) -> set[str]:
    """Those of ``job_ids`` that were deleted."""
    if not job_ids:
        return set()
    query = select(tombstones.c.id).where(tombstones.c.id.in_(job_ids))
    return set(connection.execute(query).scalars())


def buried_keys(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Tombstone]:
    """Deleted jobs by those of ``keys``, (tenant, idempotency key), that were theirs."""
    query = select(tombstones).where(
        tuple_(tombstones.c.tenant, tombstones.c.idempotency_key).in_(keys)
    )
    return {
        (row.tenant, row.idempotency_key): Tombstone(row.id, row.body_hash)
        for row in connection.execute(query)
    }
