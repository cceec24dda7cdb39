"""JSON Lines: every line comes out once, good or bad, whatever the bytes are."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk.lines import BadLine, Line, read_jsonl
from lepton_tasks.bulk.physical import MAX_LINE_BYTES, Unreadable
from lepton_tasks.nlp.registry import get_task
from tests.support.pairs import Pairs

MODERATION = get_task("moderation")


def read(*lines: bytes | None) -> list[Line | BadLine]:
    return list(read_jsonl(lines, MODERATION))


def test_a_string_and_an_object() -> None:
    assert read(
        '"你好"\n'.encode(), b'{"text": "good day", "id": 7, "user": {"name": "x"}}\r\n'
    ) == [
        Line(1, None, "你好"),
        Line(2, 7, "good day"),
    ]


def test_blank_lines_count_in_the_numbering() -> None:
    assert read(b"\n", b" \t\r\n", b'"a"\n', b"\n", b'"b"') == [
        Line(3, None, "a"),
        Line(5, None, "b"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert read(b'\xef\xbb\xbf"a"\n') == [Line(1, None, "a")]
    [alone] = read(b"\xef\xbb\xbf\n")
    assert isinstance(alone, BadLine)
    [second] = read(b"\n", b'\xef\xbb\xbf"a"\n')
    assert isinstance(second, BadLine)


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b'{"text": "a"', "invalid_json", "character 13"),
        (b"hello", "invalid_json", "invalid JSON"),
        (b'"\\ud83d"', "invalid_json", "surrogate"),
        (b"[" * 5000, "invalid_json", "depth"),
        (b'"caf\xe9"', "invalid_utf8", "byte 5"),
        ('\ufeff"a"'.encode("utf-16-le"), "invalid_utf8", "save the file as UTF-8"),
        (b"17", "invalid_type", "JSON string"),
        (b"null", "invalid_type", "JSON string"),
        (b'["a"]', "invalid_type", "JSON string"),
        (b'{"text": ["a"]}', "invalid_type", "not an array"),
        (b'{"text": null}', "invalid_type", "not null"),
        (b'{"body": "a"}', "missing_text", '"text"'),
        (b'{"text": "a", "id": 1.5}', "invalid_id", "whole number"),
        (b'{"text": "a", "id": 99999999999999999999999}', "invalid_id", "whole number"),
        (b'{"text": "a", "id": true}', "invalid_id", "whole number"),
        (b'{"text": "a", "id": ["x"]}', "invalid_id", "whole number"),
        (b'{"text": "a", "id": "' + b"x" * 513 + b'"}', "invalid_id", "512"),
        (b'""', "empty_text", "empty"),
        ('"\u3000 "'.encode(), "empty_text", "empty"),
        (b'"a\\u0000b"', "invalid_character", "NUL"),
        (b'"' + b"x" * 20_001 + b'"', "text_too_long", "20,001"),
        (None, "line_too_long", "1 MiB"),
    ],
)
def test_a_bad_line_says_why_and_the_next_one_is_read(
    raw: bytes | None, code: str, said: str
) -> None:
    bad, good = read(raw, b'"fine"')
    assert isinstance(bad, BadLine)
    assert (bad.number, bad.code, bad.final) == (1, code, False)
    assert said in bad.message
    assert good == Line(2, None, "fine")


def test_a_bad_line_keeps_its_id() -> None:
    [bad] = read(b'{"id": "c-1", "text": ""}')
    assert bad.id == "c-1"


def test_reading_that_ends_early_is_the_last_line() -> None:
    def lines() -> Iterable[bytes]:
        yield b'"a"\n'
        yield b"\n"
        raise Unreadable("broken_gzip", "it ends")

    assert list(read_jsonl(lines(), MODERATION)) == [
        Line(1, None, "a"),
        BadLine(3, None, "broken_gzip", "line 3: it ends", final=True),
    ]


@given(st.lists(st.binary(max_size=80).filter(lambda raw: b"\n" not in raw)))
def test_any_bytes_are_accounted_for(lines: list[bytes]) -> None:
    wanted = [number for number, raw in enumerate(lines, 1) if raw.strip()]
    assert [line.number for line in read(*(raw + b"\n" for raw in lines))] == wanted


_ids = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=50))


@given(st.lists(st.tuples(_ids, st.text(max_size=60))))
def test_what_was_written_is_read_back(rows: list[tuple[str | int | None, str]]) -> None:
    lines = [orjson.dumps({"id": line_id, "text": text}) for line_id, text in rows]
    for number, ((line_id, text), line) in enumerate(zip(rows, read(*lines), strict=True), 1):
        if text and not text.isspace() and "\0" not in text:
            assert line == Line(number, line_id, text)
        else:
            assert isinstance(line, BadLine)
            assert (line.number, line.id) == (number, line_id)


def test_the_cap_is_above_the_longest_text() -> None:
    assert 8 * MODERATION.max_bytes < MAX_LINE_BYTES


def test_an_item_of_several_texts_is_the_input_of_a_line() -> None:
    lines = [
        '{"id": "1", "input": {"text": "今天", "others": ["今天"]}}'.encode(),
        b'{"id": "2", "text": "today"}',
        b'"today"',
        b'{"id": "4", "input": {"text": 4}}',
    ]
    good, *bad = read_jsonl(lines, Pairs())
    assert good == Line(1, "1", {"text": "今天", "others": ["今天"]})
    assert [(one.number, one.code) for one in bad if isinstance(one, BadLine)] == [
        (2, "missing_input"),
        (3, "invalid_type"),
        (4, "invalid_item"),
    ]
