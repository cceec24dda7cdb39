"""Labelled rows: read from a job or a file, what is wrong with them named, split in two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.labelled import opinions
from workers.custom import rows as module
from workers.custom.rows import Split, read_rows, split_rows
from workers.longruns.child import RunFailed


def written(folder: Path, *lines: bytes, name: str = "rows.jsonl") -> dict[str, Any]:
    (folder / name).write_bytes(b"\n".join(lines))
    return {"file": name}


def refused(item: dict[str, Any], data: Path | None) -> RunFailed:
    with pytest.raises(RunFailed) as caught:
        read_rows(item, data, None)
    return caught.value


GOOD = [orjson.dumps({**row, "id": 7}) for row in opinions(20)]


def test_a_file_and_a_job_give_the_same_rows(tmp_path: Path) -> None:
    item = written(tmp_path, *GOOD, b"", b"  ")
    rows = read_rows(item, tmp_path, None)
    assert rows == read_rows({"rows": opinions(20)}, None, None)
    assert {row.language for row in rows} == {"en", "zh"}
    assert {row.language for row in read_rows(item, tmp_path, "en")} == {"en"}


def test_a_text_counts_once_and_is_cleaned() -> None:
    again = [{"text": "ｆｒｅｅ\u200b  gift", "label": "a"}, {"text": "free gift", "label": "b"}]
    rows = read_rows({"rows": [*again, *opinions(20), {"text": "我", "label": "a"}]}, None, None)
    assert rows[0].text == "free gift"
    assert len(rows) == 22


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "rows.jsonl, line 3: it is no JSON"),
        (b"[1]", "rows.jsonl, line 3: a row is an object with text and label"),
        (b'{"text": "SECRET"}', "rows.jsonl, line 3.label: Field required"),
        (b'{"text": "SECRET", "label": 5}', "line 3.label: Input should be a valid string"),
        (b'{"text": " ", "label": "a"}', "rows.jsonl, line 3.text is empty"),
        (b'{"text": "SECRET", "label": "alone"}', "rows.jsonl, line 3 is the only row of its"),
        (b'{"text": "' + 300_000 * b"x" + b'"}', "rows.jsonl, line 3: over 262,144 bytes"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    error = refused(written(tmp_path, *GOOD[:2], line, *GOOD[2:]), tmp_path)
    assert says in str(error) and "SECRET" not in str(error)
    assert error.code == "wrong_rows"


def test_nothing_outside_of_the_data_folder_is_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    item = written(tmp_path, *GOOD)
    (data / "link.jsonl").symlink_to(tmp_path / "rows.jsonl")
    (data / "folder").mkdir()
    outside = ("link.jsonl", "../rows.jsonl", str(tmp_path / "rows.jsonl"))
    for name in (*outside, "folder", "none", "n" * 300):
        assert refused({"file": name}, data).code == "no_such_file"
    assert refused(item, None).code == "no_data_folder"


def test_a_file_is_not_read_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILE_ROWS", 15)
    error = refused(written(tmp_path, *GOOD), tmp_path)
    assert (error.code, "over 15 rows" in str(error)) == ("too_many_rows", True)


def test_no_text_is_on_both_sides_and_each_label_on_both() -> None:
    rows = read_rows({"rows": opinions(50)}, None, None)
    split = split_rows(rows, 0.3, 7)
    assert {row.text for row in split.train}.isdisjoint(row.text for row in split.held_out)
    for part in (split.train, split.held_out):
        assert {row.label for row in part} == {"positive", "negative"}
    assert split_rows(rows[::-1], 0.3, 7) == split
    assert split_rows(rows, 0.3, 8) != split
    assert split.digest() != Split(split.held_out, split.train).digest()
