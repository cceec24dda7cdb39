"""Every repeated id is told with the first line that has it, and the file of ids goes again."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.batches import custom_ids
from lepton_tasks.batches.custom_ids import CustomIds
from lepton_tasks.errors import StorageUnavailable

_ids = st.lists(st.sampled_from(["a", "A", "评-1", "评-2", "a ", "\ud800"]), max_size=30)


@given(_ids, st.integers(1, 7))
def test_repeated_ids_are_told_once_each(ids: list[str], page: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(custom_ids, "_PAGE", page)
        path = Path(folder) / "ids.db"
        with CustomIds(path) as known:
            told = [pair for line, one in enumerate(ids, 1) for pair in known.add(one, line)]
            told += known.rest()
            assert known.rest() == ()
        assert not path.exists()
    wanted = [
        (line, ids.index(one) + 1) for line, one in enumerate(ids, 1) if one in ids[: line - 1]
    ]
    assert told == wanted


def test_what_an_earlier_run_left_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    left = CustomIds(path)
    left.add("a", 1)
    left.rest()
    with CustomIds(path) as known:
        assert known.add("a", 1) == ()
        assert known.rest() == ()
    left.close()


def test_many_ids_are_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    with CustomIds(path) as known:
        for line in range(1, 20_001):
            assert known.add(f"request-{line}", line) == ()
        assert path.stat().st_size > 400_000
        assert known.add("request-7", 20_001) == ()
        assert known.rest() == [(20_001, 7)]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="LEPTON_FILES_FOLDER"):
        CustomIds(tmp_path / "none" / "ids.db")
