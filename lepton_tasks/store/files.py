"""Files in the store. Every method names the tenant, but what sweeps.

A row says that a file is whole; its content lies elsewhere, and is there before the row and
after it (:mod:`lepton_tasks.files.storage`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    and_,
    delete,
    exists,
    func,
    literal,
    select,
)

from lepton_tasks.errors import Conflict, InvalidInput, NotFound
from lepton_tasks.states import BATCH_TERMINAL
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.file_tables import FileRow, UploadPartRow, UploadRow
from lepton_tasks.store.paging import newest_first, oldest_first

files = FileRow.__table__  # type: ignore[attr-defined]
uploads = UploadRow.__table__  # type: ignore[attr-defined]
parts = UploadPartRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]

PAGE: Final = 200
"""Most rows that one transaction deletes."""
_LOCKS: Final = 0x66696C65
"""Of PostgreSQL's advisory locks, those of what a tenant keeps."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as its tenant sees it: whole, and not changing. ``size`` is in bytes."""

    id: str
    tenant: str
    purpose: str
    filename: str
    size: int
    created_at: float
    expires_at: float | None


class FileStore:
    """The table of files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        tenant: str,
        file_id: str,
        purpose: str,
        filename: str,
        size: int,
        expires_seconds: float | None = None,
        *,
        tenant_bytes: int = 0,
    ) -> File:
        """Add a file whose content is in its place already.

        ``expires_seconds`` is how long it is kept; None for as long as any. ``tenant_bytes``
        is the most that the tenant may keep, this file included; 0 for any.

        Raises:
            InvalidInput: ``files_full``, the tenant would keep more than it may.
        """

        def work(connection: Connection) -> None:
            check_room(connection, tenant, size, tenant_bytes)
            insert_file(connection, tenant, file_id, purpose, filename, size, expires_seconds)

        self._database.transact(work)
        return self.get(tenant, file_id)

    def get(self, tenant: str, file_id: str) -> File:
        """Read a file.

        Raises:
            NotFound: the tenant has no such file.
        """
        with self._database.read() as connection:
            row = connection.execute(select(*_SHOWN).where(_named(tenant, file_id))).first()
        if row is None:
            raise _missing(file_id)
        return _view(row)

    def page(
        self,
        tenant: str,
        *,
        purpose: str | None = None,
        after: str | None = None,
        limit: int = 20,
        oldest: bool = False,
    ) -> list[File]:
        """Page through a tenant's files, newest first or ``oldest``, beginning after ``after``.

        Raises:
            NotFound: ``after`` is no file of this tenant.
        """
        query = select(*_SHOWN).where(files.c.tenant == tenant)
        if purpose is not None:
            query = query.where(files.c.purpose == purpose)
        last = None if after is None else self.get(tenant, after)
        order = oldest_first if oldest else newest_first
        with self._database.read() as connection:
            rows = connection.execute(order(query, files, last, limit)).all()
        return [_view(row) for row in rows]

    def bytes_of(self, tenant: str) -> int:
        """Bytes that a tenant keeps: its files, and the parts of uploads that have not ended."""
        with self._database.read() as connection:
            return _kept(connection, tenant)

    def delete(self, tenant: str, file_id: str) -> None:
        """Delete a file's row; its content is the caller's to delete then.

        A batch that is open goes on reading its file, so the file stays until that has ended.

        Raises:
            NotFound: the tenant has no such file.
            Conflict: ``file_in_use``, an open batch reads it.
        """
        self._database.transact(partial(_delete, tenant, file_id))

    def sweep(self, keep_seconds: float) -> list[str]:
        """Delete the rows of a page of files that have expired; returns their ids.

        Those are the ones whose own time is over, and, where ``keep_seconds`` is not 0, those
        that have none and were made longer ago than that. What an open batch reads stays.
        """
        gone = self._database.transact(partial(_sweep, _EXPIRED))
        if keep_seconds and len(gone) < PAGE:
            for tenant in self._tenants():
                old = and_(
                    files.c.tenant == tenant,
                    files.c.created_at < now() - keep_seconds,
                    files.c.expires_at.is_(None),
                )
                gone += self._database.transact(partial(_sweep, old))
                if len(gone) >= PAGE:
                    break
        return gone

    def known(self, file_ids: Collection[str]) -> set[str]:
        """Those of ``file_ids`` that have a row, of any tenant."""
        with self._database.read() as connection:
            query = select(files.c.id).where(files.c.id.in_(file_ids))
            return set(connection.execute(query).scalars())

    def open_batches(self, batch_ids: Collection[str]) -> set[str]:
        """Those of ``batch_ids`` that have not ended, of any tenant."""
        with self._database.read() as connection:
            query = select(batches.c.id).where(batches.c.id.in_(batch_ids), _OPEN)
            return set(connection.execute(query).scalars())

    def _tenants(self) -> Sequence[str]:
        """Tenants that have files, each found by one step of the index."""
        found: list[str] = []
        with self._database.read() as connection:
            while True:
                after = found[-1] if found else ""
                query = select(func.min(files.c.tenant)).where(files.c.tenant > after)
                tenant: str | None = connection.execute(query).scalar()
                if tenant is None:
                    return found
                found.append(tenant)


_SHOWN: Final = [
    files.c.bytes.label("size") if field.name == "size" else files.c[field.name]
    for field in fields(File)
]
_EXPIRED: Final = files.c.expires_at < now()
_OPEN: Final = batches.c.state.not_in(BATCH_TERMINAL)
_READ: Final = exists().where(batches.c.input_file_id == files.c.id, _OPEN)
"""Whether a batch that has not ended reads the file."""


def insert_file(
    connection: Connection,
    tenant: str,
    file_id: str,
    purpose: str,
    filename: str,
    size: int,
    expires_seconds: float | None = None,
) -> None:
    """Add the row of a file whose content is in its place, as a part of a transaction."""
    connection.execute(
        files.insert().values(
            id=file_id,
            tenant=tenant,
            purpose=purpose,
            filename=filename,
            bytes=size,
            created_at=now(),
            expires_at=None if expires_seconds is None else now() + expires_seconds,
        )
    )


def hold_file(connection: Connection, tenant: str, file_id: str) -> File:
    """Read a file that is not deleted before the transaction has ended.

    So whoever makes a batch of it in this transaction finds it there until the batch has ended.

    Raises:
        NotFound: the tenant has no such file.
    """
    query = select(*_SHOWN).where(_named(tenant, file_id)).with_for_update(read=True)
    row = connection.execute(query).first()
    if row is None:
        raise _missing(file_id)
    return _view(row)


def check_room(connection: Connection, tenant: str, size: int, tenant_bytes: int) -> None:
    """Refuse what would make a tenant keep more than ``tenant_bytes``; 0 is no bound.

    Transactions of one tenant that have been let in wait for one another.

    Raises:
        InvalidInput: ``files_full``.
    """
    if not tenant_bytes:
        return
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock(literal(_LOCKS, Integer), func.hashtext(tenant))
        connection.execute(select(lock))
    if (kept := _kept(connection, tenant)) + size > tenant_bytes:
        raise files_full(kept, tenant_bytes)


def files_full(kept: int, tenant_bytes: int) -> InvalidInput:
    """What a tenant is told that keeps as much as it may."""
    return InvalidInput(
        f"{kept:,} bytes of files are kept already, and a tenant may keep {tenant_bytes:,} "
        "(LEPTON_TENANT_FILE_BYTES); delete some first",
        "file",
        "files_full",
    )


def _kept(connection: Connection, tenant: str) -> int:
    whole = select(func.coalesce(func.sum(files.c.bytes), 0)).where(files.c.tenant == tenant)
    begun = (
        select(func.coalesce(func.sum(parts.c.bytes), 0))
        .join_from(uploads, parts, parts.c.upload_id == uploads.c.id)
        .where(uploads.c.tenant == tenant)
    )
    return int(connection.execute(whole).scalar_one() + connection.execute(begun).scalar_one())


def _named(tenant: str, file_id: str) -> ColumnElement[bool]:
    return and_(files.c.tenant == tenant, files.c.id == file_id)


def _missing(file_id: str) -> NotFound:
    return NotFound(f"no file {file_id[:80]}")


def _delete(tenant: str, file_id: str, connection: Connection) -> None:
    mine = _named(tenant, file_id)
    if connection.execute(select(files.c.id).where(mine).with_for_update()).first() is None:
        raise _missing(file_id)
    # Read after the row is held, so that it sees every batch that was made of the file.
    reads = select(batches.c.id).where(batches.c.input_file_id == file_id, _OPEN).limit(1)
    if batch_id := connection.execute(reads).scalar():
        raise Conflict(
            f"batch {batch_id} reads file {file_id}; cancel it, or delete the file when it has "
            "ended",
            "file_in_use",
        )
    connection.execute(delete(files).where(mine))


def _sweep(old: ColumnElement[bool], connection: Connection) -> list[str]:
    query = select(files.c.id).where(old, ~_READ).order_by(files.c.created_at).limit(PAGE)
    ids = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
    # Asked again after the rows are held: a batch may have been made of one meanwhile.
    gone = delete(files).where(files.c.id.in_(ids), ~_READ).returning(files.c.id)
    return list(connection.execute(gone).scalars())


def _view(row: Row[Any]) -> File:
    return File(**row._mapping)
