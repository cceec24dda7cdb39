"""Content is whole and private, or not there; what fails half way leaves nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.errors import StorageFull, StorageUnavailable
from lepton_tasks.files.storage import BLOCK, FileStorage
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


def age(path: Path, seconds: float = HOUR) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


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
    for name in ("lepton_tasks.files.storage.flush_folder", "os.fsync"):
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


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_kept_under_an_id_and_stays(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    output = storage.make_batch_folder(new_id("batch")) / "output.jsonl"
    output.write_bytes(TEXT)
    age(output)
    ids = [new_id("file"), new_id("file")]
    for file_id in ids:
        storage.keep(output, file_id)
        assert storage.path(file_id).read_bytes() == TEXT
        assert storage.old_files(file_id[-2:], HOUR) == []
        assert stat.S_IMODE(storage.path(file_id).stat().st_mode) == 0o600
    output.unlink()
    assert storage.path(ids[0]).read_bytes() == TEXT


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


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    with pytest.raises(StorageUnavailable, match="LEPTON_FILES_FOLDER"):
        FileStorage(tmp_path / "files").draft()


def test_content_is_deleted_once_and_again(storage: FileStorage) -> None:
    file_id = stored(storage)
    storage.delete(file_id)
    storage.delete(file_id)
    assert everything(storage) == []


def test_parts_go_with_their_upload(storage: FileStorage) -> None:
    upload, other = new_id("upload"), new_id("upload")
    for one in (upload, other):
        with storage.draft() as draft:
            draft.write(TEXT)
            draft.publish_part(one, new_id("part"))
    storage.delete_upload(upload)
    assert [path.parent.name for path in everything(storage)] == [other]
    assert storage.old_uploads(HOUR) == []
    age(everything(storage)[0])
    age(everything(storage)[0].parent)
    assert storage.old_uploads(HOUR) == [other]


def test_only_what_is_old_is_swept(storage: FileStorage) -> None:
    old, young = stored(storage), stored(storage)
    age(storage.path(old))
    found = [one for shard in storage.shards() for one in storage.old_files(shard, HOUR)]
    assert found == [old]
    assert set(storage.shards()) == {old[-2:], young[-2:]}
    with storage.draft() as draft:
        assert storage.sweep_drafts(HOUR) == 0
        [path] = (storage.folder / "drafts").iterdir()
        age(path)
        assert storage.sweep_drafts(HOUR) == 1
        draft.write(TEXT)


@pytest.mark.parametrize("name", ["../../etc/passwd", "file_short", "", "file_" + "A" * 26])
def test_nothing_but_an_id_becomes_a_path(storage: FileStorage, name: str) -> None:
    for make in (storage.path, storage.batch_folder, lambda one: storage.part_path(one, one)):
        with pytest.raises(ValueError, match="no id"):
            make(name)


def test_a_folder_that_is_not_there_has_nothing_to_sweep(storage: FileStorage) -> None:
    assert storage.shards() == storage.old_uploads(HOUR) == storage.old_batches(HOUR) == []
    assert storage.sweep_drafts(HOUR) == 0
    assert not storage.folder.exists()
