"""The journal is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.batches.journal import NAME, BatchJournal
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.store.batch_runs import LineCounts


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    journal = BatchJournal("1.0 32", 3, 4, 96, 1_000, 50, 90, 6, 0, {"total_tokens": 7})
    journal.save(tmp_path)
    assert BatchJournal.load(tmp_path) == journal
    assert journal.counts == LineCounts(90, 6)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"lines": 1}'])
def test_what_is_no_journal_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    assert BatchJournal.load(tmp_path) is None


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunStopped):
        BatchJournal().save(tmp_path / "gone")
