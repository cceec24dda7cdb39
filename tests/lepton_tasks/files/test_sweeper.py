"""Content that no row names goes, after an hour; all else stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lepton_tasks.files import sweeper
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.files.sweeper import LEFT_SECONDS, FileSweeper
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store

TENANT = "acme"


def age(path: Path) -> None:
    then = path.stat().st_mtime - LEFT_SECONDS
    os.utime(path, (then, then))


def content(storage: FileStorage) -> str:
    file_id = new_id("file")
    with storage.draft() as draft:
        draft.write(b"{}\n")
        draft.publish(file_id)
    return file_id


def test_what_no_row_names_goes_page_by_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(sweeper, "_SHARDS_AT_ONCE", 1)
    store, storage = open_store(settings), FileStorage(settings.files)
    named, young, *left = (content(storage) for _ in range(5))
    store.files.create(TENANT, named, "batch", "a.jsonl", 3)
    for file_id in (named, *left):
        age(storage.path(file_id))
    sweeping = FileSweeper(store, storage)
    first, *others = storage.shards()
    sweeping.sweep()
    assert all(storage.path(one).exists() == (one[-2:] != first) for one in left)
    for _ in others:
        sweeping.sweep()
    assert not any(storage.path(one).exists() for one in left)
    assert storage.path(named).exists()
    assert storage.path(young).exists()
    store.close()


def test_parts_go_unless_their_upload_is_pending(settings: Settings) -> None:
    store, storage = open_store(settings), FileStorage(settings.files)
    pending, cancelled = new_id("upload"), new_id("upload")
    for upload_id in (pending, cancelled):
        store.uploads.create(TENANT, upload_id, "batch", "a", "a", 9)
        with storage.draft() as draft:
            draft.write(b"x")
            draft.publish_part(upload_id, part_id := new_id("part"))
        age(storage.part_path(upload_id, part_id))
        age(storage.part_path(upload_id, part_id).parent)
    store.uploads.cancel(TENANT, cancelled)
    FileSweeper(store, storage).sweep()
    assert [path.name for path in (settings.files / "uploads").iterdir()] == [pending]
    store.close()


def test_folders_of_batches_go_unless_they_are_open(settings: Settings) -> None:
    store, storage = open_store(settings), FileStorage(settings.files)
    unknown, opened, ended = (new_id("batch") for _ in range(3))
    for batch_id in (opened, ended):
        store.batches.create(TENANT, batch_id, "moderation", Priority.BULK, "a.jsonl")
    store.batches.cancel(TENANT, ended)
    for batch_id in (unknown, opened, ended):
        age(storage.make_batch_folder(batch_id))
    young = storage.make_batch_folder(new_id("batch"))
    sweeping = FileSweeper(store, storage)
    sweeping.sweep()
    assert storage.batch_folder(opened).exists()
    assert young.exists()
    assert not storage.batch_folder(unknown).exists()
    assert not storage.batch_folder(ended).exists()
    age(young)
    sweeping.sweep()
    assert young.exists()  # once a minute
    store.close()


def test_a_folder_of_another_database_is_left_alone(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FileStorage(settings.files)
    ours = open_store(settings)
    FileSweeper(ours, storage).sweep()
    assert not settings.files.exists()
    file_id = content(storage)
    ours.files.create(TENANT, file_id, "batch", "a", 3)
    FileSweeper(ours, storage).sweep()
    age(storage.path(file_id))
    theirs = open_store(settings.model_copy(update={"home": tmp_path / "other"}))
    FileSweeper(theirs, storage).sweep()
    assert storage.path(file_id).exists()
    assert "belongs to another database" in caplog.text
    ours.files.delete(TENANT, file_id)
    FileSweeper(ours, storage).sweep()
    assert not storage.path(file_id).exists()
    ours.close()
    theirs.close()
