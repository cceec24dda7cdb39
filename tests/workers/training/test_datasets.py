"""Data sets on disk: read line by line, and what is missing is named with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.training import datasets
from workers.training.datasets import COLD, OPENAI, TATOEBA, DataMissing, DataSet, require


def write(data: Path, one: DataSet, split: str, content: bytes) -> None:
    folder = data / one.name
    folder.mkdir(exist_ok=True)
    (folder / f"{split}.jsonl").write_bytes(content)


def test_rows_come_in_order_and_blank_lines_are_none(tmp_path: Path) -> None:
    content = '\n{"en": "tea", "zh": "茶"}\r\n  \n{"en": "milk\\n", "zh": "🥛"}\n\n'.encode()
    write(tmp_path, TATOEBA, "train", content)
    assert TATOEBA.rows(tmp_path, "train") == [
        {"en": "tea", "zh": "茶"},
        {"en": "milk\n", "zh": "🥛"},
    ]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    write(tmp_path, COLD, "dev", b"")
    assert COLD.rows(tmp_path, "dev") == []


def test_a_file_that_is_not_there_is_named_with_its_source(tmp_path: Path) -> None:
    write(tmp_path, COLD, "train", b"")
    with pytest.raises(DataMissing) as missing:
        COLD.rows(tmp_path, "dev")
    for part in (str(tmp_path), "mod_cold", "dev.jsonl", COLD.source, COLD.licence, COLD.fields):
        assert part in str(missing.value)


@pytest.mark.parametrize("content", [b"{", b'{"text": "a"}\n{"text"', b"\xff\xfe", b"text\n"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, COLD, "train", content)
    with pytest.raises(DataMissing, match=r"mod_cold/train\.jsonl is not JSONL"):
        COLD.rows(tmp_path, "train")


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    sets = [OPENAI, COLD, TATOEBA]
    for split in ("train", "dev"):
        write(tmp_path, TATOEBA, split, b"")
    write(tmp_path, OPENAI, "train", b"")  # and not dev
    with pytest.raises(DataMissing) as missing:
        require(tmp_path, sets, ["train", "dev"])
    said = str(missing.value)
    assert "lacks 2 data set(s)" in said and "train.jsonl and dev.jsonl" in said
    assert OPENAI.name in said and COLD.name in said and TATOEBA.name not in said
    require(tmp_path, [OPENAI, TATOEBA], ["train"])
    require(tmp_path, [], ["train"])


def test_a_folder_by_the_name_of_a_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / COLD.name / "train.jsonl").mkdir(parents=True)
    with pytest.raises(DataMissing, match="mod_cold"):
        require(tmp_path, [COLD], ["train"])


def test_every_set_is_told_apart_and_says_where_it_is_from() -> None:
    every = [one for one in vars(datasets).values() if isinstance(one, DataSet)]
    assert len({one.name for one in every}) == len(every) > 10
    for one in every:
        assert one.source.startswith("http") and one.licence and one.fields.startswith("{")
