"""What a batch has written is read while it runs, and is the same when it has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.errors import Gone, InvalidInput, NotFound, StorageUnavailable
from lepton_tasks.files.results import ResultFile, ResultPage, ResultReader
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.states import BatchState
from lepton_tasks.store.store import Store, open_store
from tests.support.batch_files import TENANT, WrittenBatch, lines_of

OUTPUT, ERRORS = ResultFile.OUTPUT, ResultFile.ERRORS


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    yield store
    store.close()


@pytest.fixture
def storage(settings: Settings) -> FileStorage:
    return FileStorage(settings.files)


def all_pages(reader: ResultReader, batch_id: str, which: ResultFile = OUTPUT) -> bytes:
    whole = b""
    page = ResultPage((), 0, True, BatchState.IN_PROGRESS)
    while page.has_more:
        page = reader.page(TENANT, batch_id, which, page.cursor, 2)
        whole += b"".join(line.data + b"\n" for line in page.lines)
    return whole


@pytest.mark.parametrize("ended", [BatchState.COMPLETED, BatchState.EXPIRED])
def test_lines_are_the_same_before_and_after_the_end(
    store: Store, storage: FileStorage, ended: BatchState
) -> None:
    reader, batch = ResultReader(store, storage), WrittenBatch(store, storage)
    empty = reader.page(TENANT, batch.id, OUTPUT, 0, 10)
    assert (empty.lines, empty.cursor, empty.has_more, empty.is_last) == ([], 0, False, False)
    batch.write(lines_of("a", "茶", "b"), lines_of("坏"))
    batch.write_more(lines_of("not yet"))
    assert all_pages(reader, batch.id) == lines_of("a", "茶", "b")
    page = reader.page(TENANT, batch.id, OUTPUT, 0, 1)
    assert (page.has_more, page.is_last, page.state) == (True, False, BatchState.IN_PROGRESS)
    batch.write_more(b"")
    before = reader.page(TENANT, batch.id, OUTPUT, page.cursor, 10)
    batch.end(ended)
    after = reader.page(TENANT, batch.id, OUTPUT, page.cursor, 10)
    assert after.lines == before.lines
    assert (after.is_last, after.state) == (True, ended)
    assert all_pages(reader, batch.id, ERRORS) == lines_of("坏")
    assert reader.page(TENANT, batch.id, OUTPUT, after.cursor, 10).lines == []


def test_a_cursor_is_one_of_the_file(store: Store, storage: FileStorage) -> None:
    reader, batch = ResultReader(store, storage), WrittenBatch(store, storage)
    batch.write(lines_of("a", "b"))
    with pytest.raises(InvalidInput, match="Last-Event-ID"):
        reader.page(TENANT, batch.id, OUTPUT, 3, 10, "Last-Event-ID")
    # The row may have been set back by a power cut; what was read stays true.
    assert reader.page(TENANT, batch.id, OUTPUT, 10_000, 10).lines == []
    batch.end()
    for cursor in (3, 10_000):
        with pytest.raises(InvalidInput, match="after must be a cursor"):
            reader.page(TENANT, batch.id, OUTPUT, cursor, 10)


def test_a_batch_without_lines_has_an_empty_file(store: Store, storage: FileStorage) -> None:
    reader, batch = ResultReader(store, storage), WrittenBatch(store, storage)
    assert list(batch.end()) == [None, None]
    for which in ResultFile:
        page = reader.page(TENANT, batch.id, which, 0, 10)
        assert (page.lines, page.is_last) == ([], True)


def test_what_is_not_there_is_said(store: Store, storage: FileStorage) -> None:
    reader, batch = ResultReader(store, storage), WrittenBatch(store, storage)
    with pytest.raises(NotFound):
        reader.page("other", batch.id, OUTPUT, 0, 10)
    batch.write(lines_of("a"))
    output, _ = batch.end()
    assert output is not None
    content = storage.path(output)
    content.rename(content.with_name("away"))
    with pytest.raises(StorageUnavailable):
        reader.page(TENANT, batch.id, OUTPUT, 0, 10)
    content.write_bytes(b"")
    with pytest.raises(StorageUnavailable, match="shorter"):
        reader.page(TENANT, batch.id, OUTPUT, 0, 10)
    store.files.delete(TENANT, output)
    with pytest.raises(Gone, match=output):
        reader.page(TENANT, batch.id, OUTPUT, 0, 10)
    command = new_id("batch")
    store.batches.create(TENANT, command, "moderation", Priority.BULK, "a.jsonl")
    with pytest.raises(NotFound, match="its command"):
        reader.page(TENANT, command, OUTPUT, 0, 10)


def test_a_batch_that_ends_between_row_and_file_is_read_again(
    store: Store, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, batch = ResultReader(store, storage), WrittenBatch(store, storage)
    batch.write(lines_of("a", "b"))
    get = store.batches.get

    def get_and_end(tenant: str, batch_id: str) -> object:
        found = get(tenant, batch_id)
        monkeypatch.undo()
        batch.end()
        return found

    monkeypatch.setattr(store.batches, "get", get_and_end)
    page = reader.page(TENANT, batch.id, OUTPUT, 0, 10)
    assert (len(page.lines), page.state) == (2, BatchState.COMPLETED)
