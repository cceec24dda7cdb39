"""Pages of lines, one after the other, are the file; a cursor within a line is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput
from lepton_tasks.files.result_lines import parse_cursor, read_lines

LINES = [b'{"id":"a"}', b"{}", '{"id":"茶"}'.encode(), b'{"id":"' + b"x" * 100 + b'"}']
WHOLE = b"".join(line + b"\n" for line in LINES)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("lines") / "output.jsonl"
    file.write_bytes(WHOLE)
    return file


@settings(max_examples=40)
@given(limit=st.integers(1, 5), most=st.integers(1, 200))
def test_pages_are_the_file(path: Path, limit: int, most: int) -> None:
    read: list[bytes] = []
    cursor = 0
    while cursor < len(WHOLE):
        page = read_lines(path, cursor, len(WHOLE), limit, most)
        assert 1 <= len(page) <= limit
        assert sum(map(len, (line.data for line in page[:-1]))) < most
        read += [line.data for line in page]
        cursor = page[-1].cursor
    assert read == LINES


def test_only_a_place_between_lines_is_a_cursor(path: Path) -> None:
    places = {0}
    for line in LINES:
        places.add(max(places) + len(line) + 1)
    for cursor in range(len(WHOLE)):
        if cursor in places:
            read_lines(path, cursor, len(WHOLE), 1, 1)
        else:
            with pytest.raises(InvalidInput) as refused:
                read_lines(path, cursor, len(WHOLE), 1, 1, "Last-Event-ID")
            assert (refused.value.param, refused.value.code) == ("Last-Event-ID", "invalid_cursor")


def test_what_is_behind_the_end_is_not_read(path: Path) -> None:
    end = len(LINES[0]) + 1
    assert [line.data for line in read_lines(path, 0, end, 9, 999)] == LINES[:1]
    # Half a line, or a file that has not got here: less than was said.
    assert [line.data for line in read_lines(path, 0, end + 1, 9, 999)] == LINES[:1]
    assert [line.data for line in read_lines(path, 0, 10 * len(WHOLE), 9, 999)] == LINES


@pytest.mark.parametrize("value", ["", "-1", "1.0", "x", "１", "9" * 19])
def test_a_cursor_is_digits(value: str) -> None:
    with pytest.raises(InvalidInput, match="after must be a cursor"):
        parse_cursor(value)
