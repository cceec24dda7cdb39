"""A draft is whole, private and durable in its place at the end, or leaves nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.errors import StorageFull, StorageUnavailable
from lepton_tasks.files.drafts import BLOCK
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from tests.chaos.disk import SIZE_MB, MountRefused, small_disk

TEXT = '{"custom_id": "第一行"}\n'.encode()
HOUR = 3600.0


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "home" / "files")


def stored(storage: FileStorage, content: bytes = TEXT) -> str:
    file_id = new_id("file")
    with storage.draft() as draft:
        draft.write(content)
        draft.publish(file_id)
    return file_id


def everything(storage: FileStorage) -> list[Path]:
    return [path for path in storage.folder.rglob("*") if path.is_file()]


def test_a_published_draft_is_whole_and_private(storage: FileStorage) -> None:
    file_id = stored(storage)
    assert storage.path(file_id).read_bytes() == TEXT
    assert everything(storage) == [storage.path(file_id)]
    assert stat.S_IMODE(storage.path(file_id).stat().st_mode) == 0o600
    for folder in (storage.folder, storage.path(file_id).parent, storage.folder / "drafts"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_draft_that_is_not_published_is_gone(storage: FileStorage) -> None:
    with storage.draft() as draft:
        draft.write(TEXT)
        assert (draft.size, len(everything(storage))) == (len(TEXT), 1)
    assert everything(storage) == []


def test_a_failure_while_publishing_leaves_nothing(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    stored(storage)
    for name in ("lepton_tasks.files.drafts.flush_folder", "os.fsync"):
        with monkeypatch.context() as patch, storage.draft() as draft:
            draft.write(TEXT)
            patch.setattr(name, fail)
            with pytest.raises(StorageUnavailable, match="LEPTON_FILES_FOLDER"):
                draft.publish(new_id("file"))
    assert len(everything(storage)) == 1


def test_content_is_durable_before_it_is_in_its_place_and_its_place_after(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(storage)
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        done.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    first = stored(storage)
    new_shard = ["folder"] if len(storage.shards()) == 2 else []
    assert done == ["content", *new_shard, "rename", "folder"]
    assert storage.path(first).exists()


@pytest.mark.parametrize("reads", [False, True])
def test_files_are_appended_whole(storage: FileStorage, tmp_path: Path, reads: bool) -> None:
    content = os.urandom(2 * BLOCK + 17)
    source = tmp_path / "source"
    source.write_bytes(content)
    digest = hashlib.sha256()
    with storage.draft() as draft:
        draft.write(TEXT)
        draft.append(source, digest.update if reads else None)
        draft.publish(file_id := new_id("file"))
    assert storage.path(file_id).read_bytes() == TEXT + content
    assert digest.digest() == hashlib.sha256(content if reads else b"").digest()
    assert draft.size == len(TEXT + content)


def test_files_are_appended_where_the_kernel_does_not_copy(
    storage: FileStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    source = tmp_path / "source"
    source.write_bytes(TEXT)
    with storage.draft() as draft:
        draft.append(source)
        draft.publish(file_id := new_id("file"))
    assert storage.path(file_id).read_bytes() == TEXT


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk") as disk:
            storage = FileStorage(disk / "files")
            kept = stored(storage)
            with storage.draft() as draft, pytest.raises(StorageFull, match="no room"):
                for _ in range(SIZE_MB + 1):
                    draft.write(bytes(BLOCK))
            assert everything(storage) == [storage.path(kept)]
            assert storage.path(stored(storage)).read_bytes() == TEXT
    except MountRefused:
        with (
            FileStorage(tmp_path / "files").draft() as draft,
            Path("/dev/full").open("wb", buffering=0) as full,
        ):
            draft._file.close()
            draft._file = full
            with pytest.raises(StorageFull, match="no room"):
                draft.write(TEXT)
