"""From a path to lines: the format by the name, the same lines at every reading."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from lepton_tasks.bulk.lines import Line
from lepton_tasks.bulk.reader import Format, LineReader, format_of, holds_parquet
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
    assert format_of(Path(name), None, None) is Format.JSONL
    with pytest.raises(InvalidInput, match="--id-column is for tables"):
        format_of(Path(name), None, "id")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.tsv", Format.TSV),
        ("a.TAB.gz", Format.TSV),
        ("a.csv.zst", Format.CSV),
        ("a.pq", Format.PARQUET),
    ],
)
def test_names_of_tables(name: str, form: Format) -> None:
    assert format_of(Path(name), None, None) is form
    assert format_of(Path(name), "text", "id") is form


@pytest.mark.parametrize("name", ["a.txt", "a", "a.gz", "a.zst"])
def test_a_name_that_tells_nothing(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"call it \.jsonl, \.csv or \.tsv"):
        format_of(Path(name), None, None)
    assert format_of(Path(name), "text", None) is Format.CSV


def test_a_parquet_file_is_not_packed_again() -> None:
    with pytest.raises(InvalidInput, match=r"a\.parquet\.gz is Parquet in gzip; unpack it"):
        format_of(Path("a.parquet.gz"), "text", None)


def test_tsv_comes_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "in.tsv.gz"
    path.write_bytes(gzip.compress(b"id\ttext\n1\ta,b\n"))
    with LineReader(path, MODERATION, "text", "id") as reader:
        assert list(reader) == [Line(2, "1", "a,b")]


@pytest.mark.parametrize("name", ["in.parquet", "in.jsonl", "in"])
def test_parquet_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pq.write_table(pa.table({"id": [7, 8], "text": ["你好", "fine"]}), path)
    for _ in range(2):
        with LineReader(path, MODERATION, "text", "id") as reader:
            assert reader.position == 0
            assert list(reader) == [Line(1, 7, "你好"), Line(2, 8, "fine")]
            assert reader.position == reader.size == path.stat().st_size


def test_a_csv_may_begin_as_parquet_does(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"PAR1,text\n1,fine\n")
    with LineReader(path, MODERATION, "text") as reader:
        assert list(reader) == [Line(2, None, "fine")]
    path.write_bytes(b"PAR1")
    assert not holds_parquet(path)


def test_without_pyarrow_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["fine"]}), path)
    monkeypatch.delitem(sys.modules, "lepton_tasks.bulk.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidInput, match=r"run: pip install 'lepton-tasks\[parquet\]'"):
        LineReader(path, MODERATION, "text")


def test_a_csv_without_the_column_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\n")
    with pytest.raises(InvalidInput, match="'a', 'b'"):
        LineReader(path, MODERATION, "text")
