"""Raw texts of a training: read as often as wanted, and the same texts told by their hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.settings import Settings
from workers.custom.texts import Texts
from workers.longruns.child import RunFailed


def test_texts_are_read_as_often_as_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("今天\n很好\n\nfine\n", encoding="utf-8")
    settings = Settings(data_folder=tmp_path)
    file, given = (
        Texts.of(item, settings) for item in ({"file": "a.txt"}, {"texts": ["今天", "fine"]})
    )
    for _ in range(2):
        assert list(file.documents()) == ["今天\n很好\n", "fine\n"]
        assert list(given.documents()) == ["今天", "fine"]
    assert file.digest() == Texts.of({"file": "a.txt"}, settings).digest() != given.digest()
    assert given.digest() != Texts.of({"texts": ["今天fine"]}, settings).digest()


@pytest.mark.parametrize("named", ["../a.txt", "none.txt"])
def test_only_files_of_the_folder_are_read(tmp_path: Path, named: str) -> None:
    (tmp_path / "a.txt").write_text("outside")
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(RunFailed, match="LEPTON_DATA_FOLDER"):
        Texts.of({"file": named}, Settings(data_folder=data))
    with pytest.raises(RunFailed, match="LEPTON_DATA_FOLDER"):
        Texts.of({"file": named}, Settings())
