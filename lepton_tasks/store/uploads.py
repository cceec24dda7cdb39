"""Files that come in parts. Every method names the tenant, but what sweeps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, case, delete, func, select, update

from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.states import UploadState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.file_tables import UploadPartRow, UploadRow
from lepton_tasks.store.files import PAGE, check_room, insert_file

uploads = UploadRow.__table__  # type: ignore[attr-defined]
parts = UploadPartRow.__table__  # type: ignore[attr-defined]

LIFE_SECONDS: Final = 3600.0
"""How long an upload may take."""
MOST_PARTS: Final = 1_000
_GRACE_SECONDS: Final = 600.0
"""How long after its time the parts of an upload stay: they may be put together just then."""
_KEPT_SECONDS: Final = 86_400.0
"""How long it is known what became of an upload."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as its tenant sees it. ``size`` is the announced one, in bytes."""

    id: str
    tenant: str
    purpose: str
    filename: str
    mime_type: str
    size: int
    state: UploadState
    file_id: str | None
    file_seconds: float | None
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is whole."""

    id: str
    size: int
    created_at: float


class UploadStore:
    """The tables of uploads and their parts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        tenant: str,
        upload_id: str,
        purpose: str,
        filename: str,
        mime_type: str,
        size: int,
        file_seconds: float | None = None,
        *,
        tenant_bytes: int = 0,
    ) -> Upload:
        """Announce a file of ``size`` bytes, which is then kept for ``file_seconds``, None for any.

        Raises:
            InvalidInput: ``files_full``, the tenant would keep more than it may.
        """

        def work(connection: Connection) -> None:
            check_room(connection, tenant, size, tenant_bytes)
            connection.execute(
                uploads.insert().values(
                    id=upload_id,
                    tenant=tenant,
                    purpose=purpose,
                    filename=filename,
                    mime_type=mime_type,
                    bytes=size,
                    state=UploadState.PENDING,
                    file_seconds=file_seconds,
                    created_at=now(),
                    expires_at=now() + LIFE_SECONDS,
                )
            )

        self._database.transact(work)
        return self.get(tenant, upload_id)

    def get(self, tenant: str, upload_id: str) -> Upload:
        """Read an upload.

        Raises:
            NotFound: the tenant has no such upload.
        """
        with self._database.read() as connection:
            return _read(connection, tenant, upload_id)

    def add_part(
        self, tenant: str, upload_id: str, part_id: str, size: int, *, tenant_bytes: int = 0
    ) -> Part:
        """Add a part whose content is in its place already.

        Raises:
            NotFound: the tenant has no such upload.
            InvalidInput: the upload has ended, or has as many parts or bytes as it may; or
                ``files_full``.
        """

        def work(connection: Connection) -> Part:
            upload = _read(connection, tenant, upload_id, lock=True)
            require_pending(upload)
            check_room(connection, tenant, size, tenant_bytes)
            count, kept = connection.execute(
                select(func.count(), func.coalesce(func.sum(parts.c.bytes), 0)).where(
                    parts.c.upload_id == upload_id
                )
            ).one()
            # A part whose answer was lost is sent again, so there may be more than the file.
            if count >= MOST_PARTS or kept + size > 2 * upload.size:
                raise InvalidInput(
                    f"upload {upload_id} has {count:,} parts of {kept:,} bytes already, and "
                    f"announced {upload.size:,}; complete it, or cancel it",
                    "data",
                    "too_many_parts",
                )
            connection.execute(
                parts.insert().values(id=part_id, upload_id=upload_id, bytes=size, created_at=now())
            )
            row = connection.execute(select(*_PART).where(parts.c.id == part_id)).one()
            return Part(**row._mapping)

        return self._database.transact(work)

    def parts(self, tenant: str, upload_id: str, part_ids: Sequence[str]) -> list[Part]:
        """Read parts of an upload, in the order of ``part_ids``.

        Raises:
            NotFound: the tenant has no such upload.
            InvalidInput: one is none of its parts, or is named twice.
        """
        with self._database.read() as connection:
            _read(connection, tenant, upload_id)
            query = select(*_PART).where(parts.c.upload_id == upload_id)
            found = {row.id: Part(**row._mapping) for row in connection.execute(query)}
        for at, part_id in enumerate(part_ids):
            if part_id not in found:
                raise InvalidInput(
                    f"part_ids[{at}] is no part of {upload_id}", f"part_ids[{at}]", "unknown_part"
                )
        if len(set(part_ids)) < len(part_ids):
            raise InvalidInput("part_ids names a part twice", "part_ids", "duplicate_part")
        return [found[part_id] for part_id in part_ids]

    def complete(self, tenant: str, upload_id: str, file_id: str) -> Upload:
        """End an upload with a file, whose content is in its place already.

        One that was completed meanwhile keeps the file that it has: look at ``file_id`` of
        what this returns.

        Raises:
            NotFound: the tenant has no such upload.
            InvalidInput: it was cancelled, or its time was over.
        """

        def work(connection: Connection) -> None:
            upload = _read(connection, tenant, upload_id, lock=True)
            if upload.state is UploadState.COMPLETED:
                return
            require_pending(upload)
            insert_file(
                connection,
                tenant,
                file_id,
                upload.purpose,
                upload.filename,
                upload.size,
                upload.file_seconds,
            )
            _end(connection, [upload_id], UploadState.COMPLETED, file_id)

        self._database.transact(work)
        return self.get(tenant, upload_id)

    def cancel(self, tenant: str, upload_id: str) -> Upload:
        """Give an upload up; its parts are the caller's to delete then.

        Raises:
            NotFound: the tenant has no such upload.
            InvalidInput: it has ended otherwise.
        """

        def work(connection: Connection) -> None:
            upload = _read(connection, tenant, upload_id, lock=True)
            if upload.state is not UploadState.CANCELLED:
                require_pending(upload)
                _end(connection, [upload_id], UploadState.CANCELLED)

        self._database.transact(work)
        return self.get(tenant, upload_id)

    def sweep(self) -> list[str]:
        """Give up a page of uploads whose time is over; returns their ids.

        What ended long ago is forgotten.
        """
        return self._database.transact(_sweep)

    def pending(self, upload_ids: Collection[str]) -> set[str]:
        """Those of ``upload_ids`` that were not completed or given up, of any tenant."""
        with self._database.read() as connection:
            query = select(uploads.c.id).where(uploads.c.id.in_(upload_ids), _PENDING)
            return set(connection.execute(query).scalars())


def require_pending(upload: Upload) -> None:
    """Raise InvalidInput, ``upload_ended``, for an upload that takes no more."""
    if upload.state is not UploadState.PENDING:
        raise InvalidInput(
            f"upload {upload.id} is {upload.state}; make another", "upload_id", "upload_ended"
        )


_PENDING: Final = uploads.c.state == UploadState.PENDING
_STATE: Final = case(
    (and_(_PENDING, uploads.c.expires_at < now()), UploadState.EXPIRED), else_=uploads.c.state
).label("state")
_NAMED: Final = {"size": uploads.c.bytes.label("size"), "state": _STATE}
_SHOWN: Final = [
    _NAMED[field.name] if field.name in _NAMED else uploads.c[field.name]
    for field in fields(Upload)
]
_PART: Final = (parts.c.id, parts.c.bytes.label("size"), parts.c.created_at)


def _read(connection: Connection, tenant: str, upload_id: str, lock: bool = False) -> Upload:
    query = select(*_SHOWN).where(uploads.c.tenant == tenant, uploads.c.id == upload_id)
    row: Row[Any] | None = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"no upload {upload_id[:80]}")
    values = dict(row._mapping)
    values["state"] = UploadState(values["state"])
    return Upload(**values)


def _end(
    connection: Connection, ids: Sequence[str], state: UploadState, file_id: str | None = None
) -> None:
    connection.execute(delete(parts).where(parts.c.upload_id.in_(ids)))
    connection.execute(
        update(uploads).where(uploads.c.id.in_(ids)).values(state=state, file_id=file_id)
    )


def _sweep(connection: Connection) -> list[str]:
    before = now() - _GRACE_SECONDS
    query = select(uploads.c.id).where(_PENDING, uploads.c.expires_at < before).limit(PAGE)
    ids = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    _end(connection, ids, UploadState.EXPIRED)
    old = select(uploads.c.id).where(
        uploads.c.expires_at < now() - _KEPT_SECONDS, uploads.c.state != UploadState.PENDING
    )
    connection.execute(delete(uploads).where(uploads.c.id.in_(old.limit(PAGE))))
    return ids
