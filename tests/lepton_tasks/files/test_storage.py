"""Content lies where its id says, is kept and deleted there, and what is old is found."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.errors import StorageUnavailable
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id

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
