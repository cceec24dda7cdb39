"""From a path to lines: the format by the name, the same lines at every reading."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from lepton_tasks.bulk.lines import Line
from lepton_tasks.bulk.reader import LineReader, is_csv
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import get_task

MODERATION = get_task("moderation")


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, "gz"), (zstd.compress, "zst")])
def test_a_packed_csv(tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str) -> None:
    path = tmp_path / f"in.csv.{suffix}"
    path.write_bytes(pack("id,text\n1,你好\n".encode()))
    for _ in range(2):
        with LineReader(path, MODERATION, "text", "id") as reader:
            assert list(reader) == [Line(2, "1", "你好")]
            assert reader.position == reader.size == path.stat().st_size


@pytest.mark.parametrize("name", ["a.JSONL", "a.ndjson", "a.jsonl.gz", "a.jsonl.zst", "a.json"])
def test_names_of_json_lines(name: str) -> None:
    assert not is_csv(Path(name), None, None)
    with pytest.raises(InvalidInput, match="--id-column is for CSV"):
        is_csv(Path(name), None, "id")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.gz", "a.zst"])
def test_a_name_that_tells_nothing(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"call it \.jsonl or \.csv"):
        is_csv(Path(name), None, None)


def test_a_csv_without_the_column_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\n")
    with pytest.raises(InvalidInput, match="'a', 'b'"):
        LineReader(path, MODERATION, "text")
