"""CSV: the csv module's own splitting, with numbers, bounds and bad records."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk.csv_lines import read_csv
from lepton_tasks.bulk.lines import BadLine, Line
from lepton_tasks.bulk.physical import MAX_LINE_BYTES, Unreadable
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import get_task
from tests.support.pairs import Pairs

MODERATION = get_task("moderation")


def read(
    data: bytes, text: str | None = "text", line_id: str | None = None
) -> list[Line | BadLine]:
    lines = iter(io.BytesIO(data))
    return list(read_csv(lines, MODERATION, text, line_id))


def codes(data: bytes) -> list[tuple[int, str]]:
    return [
        (line.number, line.code if isinstance(line, BadLine) else line.item) for line in read(data)
    ]


def test_columns_are_taken_by_name() -> None:
    data = '编号,内容\r\n7,你好\r\n,"a, ""b"""\r\n'.encode()
    assert read(data, "内容", "编号") == [Line(2, "7", "你好"), Line(3, None, 'a, "b"')]


def test_a_byte_order_mark_is_no_part_of_a_column() -> None:
    assert read(b"\xef\xbb\xbftext\na\n") == [Line(2, None, "a")]


def test_a_quoted_newline_belongs_to_its_record() -> None:
    assert codes(b'text\n"one\n\ntwo"\n\nthree\n') == [(2, "one\n\ntwo"), (6, "three")]


@pytest.mark.parametrize(
    ("text", "line_id", "said"),
    [
        (None, None, "give --text-column; the columns of the CSV are 'id', 'text', 'x', 'x'"),
        ("body", None, "no column 'body'; its columns are 'id', 'text', 'x', 'x'"),
        ("text", "nr", "--id-column: the CSV has no column 'nr'"),
        ("x", None, "more than one column 'x'"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(
    text: str | None, line_id: str | None, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        read(b"id,text,x,x\n1,a,,\n", text, line_id)


@pytest.mark.parametrize("data", [b"", b"\ntext\n", b"te\xffxt\n", b'"text\na\n'])
def test_an_unreadable_header_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="first line"):
        read(data)


def test_a_long_header_is_not_listed_in_full() -> None:
    with pytest.raises(InvalidInput, match="'c49' and 950 more"):
        read(",".join(f"c{number}" for number in range(1000)).encode())


def test_bad_records_stand_alone() -> None:
    data = b"id,text\n1\n2,fine\n3,b,c\n4,\n5,\xff\n6," + b"x" * 140_000 + b"\n7,good\n"
    assert codes(data) == [
        (2, "wrong_columns"),
        (3, "fine"),
        (4, "wrong_columns"),
        (5, "empty_text"),
        (6, "invalid_utf8"),
        (7, "invalid_csv"),
        (8, "good"),
    ]


def test_a_quote_that_is_never_closed_costs_the_lines_up_to_the_cap() -> None:
    rows = [b"%d,fine\n" % number for number in range(200_000)]
    rows[10] = b'10,"oops\n'
    lines = read(b"id,text\n" + b"".join(rows))
    [bad] = [line for line in lines if isinstance(line, BadLine)]
    assert (bad.number, bad.code) in [(12, "line_too_long"), (12, "invalid_csv")]
    assert bad.message.startswith(("the record is longer than 1 MiB", "invalid CSV"))
    lost = 200_000 - len(lines)
    assert f"(lines 12 to {12 + lost:,})" in bad.message
    assert lost * len(b"10,fine\n") < MAX_LINE_BYTES


def test_a_quote_that_is_never_closed_at_the_end() -> None:
    [good, bad] = read(b'text\nfine\n"open\nand on\n')
    assert (good.number, bad.number) == (2, 3)
    assert isinstance(bad, BadLine)
    assert bad.code == "invalid_csv"
    assert "(lines 3 to 4)" in bad.message


def test_an_overlong_line_and_a_broken_end() -> None:
    def lines() -> object:
        yield b"text\n"
        yield None
        yield b"fine\n"
        raise Unreadable("broken_gzip", "it ends")

    read_back = list(read_csv(lines(), MODERATION, "text", None))  # type: ignore[arg-type]
    assert [(line.number, getattr(line, "code", "")) for line in read_back] == [
        (2, "line_too_long"),
        (3, ""),
        (4, "broken_gzip"),
    ]
    assert isinstance(read_back[-1], BadLine)
    assert read_back[-1].final


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_the_end(data: bytes) -> None:
    lines = read(b"text\n" + data + b"\n")
    numbers = [line.number for line in lines]
    assert numbers == sorted(set(numbers))
    assert all(2 <= number <= data.count(b"\n") + 2 for number in numbers)


_cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(_cells, _cells), max_size=20))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["id", "text"])
    writer.writerows(rows)
    read_back = read(file.getvalue().encode(), "text", "id")
    assert [line.id for line in read_back] == [line_id or None for line_id, _ in rows]
    texts = [line.item if isinstance(line, Line) else "" for line in read_back]
    assert texts == [text if text.strip() else "" for _, text in rows]


def test_items_with_fields_are_read_from_columns_of_their_names() -> None:
    data = [b"nr,text,case\n", b"1,a,false\n", b"2,,true\n", b"3,b,maybe\n"]
    [good, empty, wrong] = read_csv(iter(data), Pairs(), None, "nr")
    assert good == Line(2, "1", {"text": "a", "case": False})
    assert isinstance(empty, BadLine)
    assert isinstance(wrong, BadLine)
    assert (empty.number, empty.id, empty.code) == (3, "2", "invalid_item")
    assert empty.message.startswith("input.text")
    assert wrong.message.startswith("input.case")


def test_tabs_part_the_cells_of_a_tsv() -> None:
    data = [
        "nr\t内容\n".encode(),
        'a,b\t你好，"客服"\n'.encode(),
        b'2\t"two\n',
        b'lines"\n',
        b"3\n",
    ]
    *good, bad = read_csv(iter(data), MODERATION, "内容", "nr", tabs=True)
    assert good == [Line(2, "a,b", '你好，"客服"'), Line(3, "2", "two\nlines")]
    assert bad.number == 5
    with pytest.raises(InvalidInput, match="columns of the TSV are 'a', 'b'"):
        read_csv(iter([b"a\tb\n"]), MODERATION, None, None, tabs=True)
