"""When the periodic work deletes, and that it can be told to keep everything."""

from __future__ import annotations

from sqlalchemy import update

from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.retention import Retention
from lepton_tasks.settings import Settings
from lepton_tasks.store.file_tables import FileRow, UploadRow
from lepton_tasks.store.retention import PAGE
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.store.tables import JobRow
from tests.support.lives import TENANT, a_job, queued

jobs = JobRow.__table__  # type: ignore[attr-defined]
files = FileRow.__table__  # type: ignore[attr-defined]
uploads = UploadRow.__table__  # type: ignore[attr-defined]


def ended_long_ago(store: Store, count: int) -> None:
    for job_id in queued(store, *(a_job() for _ in range(count))):
        store.jobs.cancel(TENANT, job_id)
    with store.database.write() as connection:
        connection.execute(update(jobs).values(created_at=1.0, finished_at=1.0))


def left(store: Store) -> int:
    return len(store.jobs.page(TENANT, limit=10_000))


def test_page_after_page_at_once_and_then_once_a_minute(settings: Settings) -> None:
    store = open_store(settings)
    retention = Retention(store, settings)
    ended_long_ago(store, PAGE + 1)
    retention.sweep()
    assert left(store) == 1
    retention.sweep()
    assert left(store) == 0
    ended_long_ago(store, 1)
    retention.sweep()
    assert left(store) == 1
    store.close()


def test_zero_days_keep_everything(settings: Settings) -> None:
    store = open_store(settings)
    ended_long_ago(store, 1)
    Retention(store, settings.model_copy(update={"retention_days": 0.0})).sweep()
    assert left(store) == 1
    store.close()


def test_expired_files_go_with_their_content(settings: Settings) -> None:
    store, storage = open_store(settings), FileStorage(settings.files)
    file_id, kept = new_id("file"), new_id("file")
    for one in (file_id, kept):
        with storage.draft() as draft:
            draft.write(b"{}\n")
            draft.publish(one)
        store.files.create(TENANT, one, "batch", "a.jsonl", 3, 3600)
    with store.database.write() as connection:
        connection.execute(update(files).where(files.c.id == file_id).values(expires_at=1.0))
    keep_all = settings.model_copy(update={"retention_days": 0.0})
    Retention(store, keep_all).sweep()
    assert [one.id for one in store.files.page(TENANT)] == [kept]
    assert storage.path(kept).exists()
    assert not storage.path(file_id).exists()
    store.close()


def test_uploads_that_nobody_ended_go_with_their_parts(settings: Settings) -> None:
    store, storage = open_store(settings), FileStorage(settings.files)
    upload_id, part_id = new_id("upload"), new_id("part")
    store.uploads.create(TENANT, upload_id, "batch", "a", "a", 9)
    with storage.draft() as draft:
        draft.write(b"x")
        draft.publish_part(upload_id, part_id)
    store.uploads.add_part(TENANT, upload_id, part_id, 1)
    with store.database.write() as connection:
        connection.execute(update(uploads).values(expires_at=1.0))
    Retention(store, settings).sweep()
    assert not storage.part_path(upload_id, part_id).exists()
    assert store.files.bytes_of(TENANT) == 0
    store.close()
