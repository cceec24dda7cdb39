"""Parquet: rows as lines, whatever their columns are made of; damage, bounds."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk import parquet
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.lines import BadLine, Line
from lepton_tasks.bulk.parquet import ParquetRows
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import get_task
from tests.support.pairs import Pairs

MODERATION = get_task("moderation")


def write(path: Path, columns: Mapping[str, Any], **how: Any) -> Path:
    pq.write_table(pa.table(columns), path, **how)
    return path


def read(
    path: Path, task: Any = MODERATION, text: str | None = "text", line_id: str | None = None
) -> list[Line | BadLine]:
    with ParquetRows(path, task, text, line_id) as rows:
        return list(rows)


def items(lines: list[Line | BadLine]) -> list[Any]:
    return [line.code if isinstance(line, BadLine) else line.item for line in lines]


TEXTS = ["今天", "", None, "fine"]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.binary()),
    ],
    ids=str,
)
def test_texts_of_every_kind(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array(TEXTS).cast(kind)
    path = write(tmp_path / "in.parquet", {"text": texts, "nr": texts})
    lines = read(path, line_id="nr")
    assert items(lines) == ["今天", "empty_text", "invalid_type", "fine"]
    assert [(line.number, line.id) for line in lines] == [
        (1, "今天"),
        (2, ""),
        (3, None),
        (4, "fine"),
    ]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pa.array([7]), "holds int64, not texts"),
        (pa.array([None]), "holds null, not texts"),
        (pa.array([["a"]]), "holds list<element: string>, not texts"),
        (pa.array([{"a": "b"}]), "holds struct<a: string>, not texts"),
        (pa.array([b"ab"], pa.binary(2)), "holds fixed_size_binary.2., not texts"),
        (pa.array([b"ab"], pa.binary(2)).dictionary_encode(), "holds .*, not texts"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_column_without_texts_is_named(tmp_path: Path, column: Any, says: str) -> None:
    path = write(tmp_path / "in.parquet", {"内容": column})
    with pytest.raises(InvalidInput, match=f"'内容' of the Parquet file {says}") as caught:
        read(path, text="内容")
    assert caught.value.param == "--text-column"


def test_ids_are_texts_or_whole_numbers(tmp_path: Path) -> None:
    more = {"text": ["a", "b"], "big": pa.array([0, 2**64 - 1], pa.uint64()), "share": [0.5, 1.0]}
    path = write(tmp_path / "in.parquet", {**more, "long": ["a", "b" * 600]})
    assert read(path, line_id="big") == [Line(1, 0, "a"), Line(2, 2**64 - 1, "b")]
    assert items(read(path, line_id="long")) == ["a", "invalid_id"]
    with pytest.raises(InvalidInput, match="'share' of the Parquet file holds double; an id is"):
        read(path, line_id="share")
    with pytest.raises(InvalidInput, match="give --text-column; the columns of the Parquet file"):
        read(path, text=None)


def test_columns_may_have_dots_and_structs_beside_them(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.parquet",
        {"a": ["one"], "a.b": ["two"], "c": pa.array([{"b": "three"}]), "id": [1]},
    )
    assert items(read(path, text="a")) == ["one"]
    assert read(path, text="a.b", line_id="id") == [Line(1, 1, "two")]


def test_fields_are_columns_and_may_be_lists_and_objects(tmp_path: Path) -> None:
    path = write(
        tmp_path / "pairs.parquet",
        {"others": pa.array([["a"], None]), "text": ["b", "c"], "case": [True, None]},
    )
    assert items(read(path, Pairs(), None)) == [
        {"text": "b", "others": ["a"], "case": True},
        {"text": "c"},
    ]
    turns = [[{"role": "user", "content": "你好"}], [{"role": "king", "content": "x"}], None]
    path = write(tmp_path / "chat.parquet", {"messages": turns})
    assert items(read(path, get_task("chat"), None)) == [
        {"messages": [{"role": "user", "content": "你好"}]},
        "invalid_item",
        "invalid_item",
    ]


def test_a_value_that_is_not_utf8_costs_its_row(tmp_path: Path) -> None:
    odd = pa.array([b"fine", b"\xff", "好".encode()])
    path = write(tmp_path / "in.parquet", {"text": odd, "id": [1, 2, 3]})
    lines = read(path, line_id="id")
    assert items(lines) == ["fine", "invalid_utf8", "好"]
    assert [line.number for line in lines] == [1, 2, 3]


@pytest.mark.parametrize("how", [{}, {"compression": "zstd"}, {"data_page_version": "2.0"}])
def test_row_groups_follow_each_other(tmp_path: Path, how: dict[str, Any]) -> None:
    texts = [f"row {number}" for number in range(1000)]
    path = write(tmp_path / "in.parquet", {"text": texts}, row_group_size=300, **how)
    with ParquetRows(path, MODERATION, "text", None) as rows:
        seen = [(line.number, rows.position) for line in rows]
        assert rows.size == path.stat().st_size
    assert [number for number, _ in seen] == list(range(1, 1001))
    assert [position for _, position in seen] == [rows.size * n // 1000 for n in range(1, 1001)]
    assert items(read(path)) == texts


def test_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", {"text": pa.array([], pa.string())})
    with ParquetRows(path, MODERATION, "text", None) as rows:
        assert list(rows) == []
        assert rows.position == rows.size


def test_what_is_no_whole_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", {"text": ["fine"]})
    data = path.read_bytes()
    for broken in (b"", b"PAR1", data[:-1], data[: len(data) // 2], data[:-8] + b"\xff" * 8):
        path.write_bytes(broken)
        with pytest.raises(InvalidInput, match="is no whole Parquet file: "):
            read(path)


def test_a_damaged_page_ends_the_reading(tmp_path: Path) -> None:
    texts = [f"{number:08}" for number in range(4000)]
    path = write(
        tmp_path / "in.parquet",
        {"text": texts},
        row_group_size=1000,
        use_dictionary=False,
        compression="none",
        write_page_checksum=True,
    )
    data = bytearray(path.read_bytes())
    at = data.index(b"00002500")
    data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    *good, bad = read(path)
    assert items(good) == texts[: len(good)]
    assert len(good) >= 1920
    assert isinstance(bad, BadLine)
    assert (bad.number, bad.code, bad.final) == (len(good) + 1, "broken_parquet", True)


class FailingFile(io.BufferedReader):
    """A file on a disk that fails once ``broken`` is set."""

    broken = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size)


def test_a_disk_that_fails_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.parquet", {"text": ["fine"] * 4000}, row_group_size=1000)
    file = FailingFile(io.FileIO(path))
    monkeypatch.setattr(parquet, "open_input", lambda path: (file, path.stat().st_size))
    with ParquetRows(path, MODERATION, "text", None) as rows:
        reading = iter(rows)
        next(reading)
        file.broken = True
        with pytest.raises(RunStopped, match=r"cannot read .* to its end: Input/output error"):
            list(reading)


@given(st.binary(min_size=1, max_size=8), st.integers(0, 10_000))
def test_any_damage_is_refused_or_ends_the_reading(
    tmp_path_factory: pytest.TempPathFactory, damage: bytes, place: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    write(path, {"text": ["a text of some length"] * 300, "id": list(range(300))})
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place : place + len(damage)] = damage
    path.write_bytes(data)
    try:
        lines = read(path, line_id="id")
    except InvalidInput:
        return
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))


_MEASURE = """
import resource, sys
from pathlib import Path
from lepton_tasks.bulk.parquet import ParquetRows
from lepton_tasks.nlp.registry import get_task
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with ParquetRows(Path(sys.argv[1]), get_task("moderation"), "text", None) as rows:
    reading = iter(rows)
    for _ in range(5_000):
        next(reading)
    before, count = peak(), sum(1 for _ in reading)
print(count, peak() - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    schema = pa.schema({"text": pa.string(), "other": pa.string()})
    with pq.ParquetWriter(path, schema) as writer:
        for part in range(2):
            texts = [f"{number} of part {part} " * 40 for number in range(40_000)]
            writer.write_table(pa.table([texts, texts], schema=schema))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    count, grown = done.stdout.split()
    assert int(count) == 75_000
    assert int(grown) < 32
