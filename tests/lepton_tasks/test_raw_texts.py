"""Raw text in files: where documents end, and what is wrong with a line."""

from __future__ import annotations

import io

import pytest

from lepton_tasks.raw_texts import (
    MOST_CHARACTERS,
    MOST_LINE_BYTES,
    read_documents,
    read_lines,
    text_fault,
)


def read(content: str | bytes, name: str = "a.txt") -> list[str]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_documents(io.BytesIO(data), name))


def test_blank_lines_separate_documents_of_a_text() -> None:
    assert read("\n \r\n今天\n很好\n\n\n  \nfine") == ["今天\n很好\n", "fine"]
    assert read("") == read("\n\n") == []


def test_each_line_of_json_is_a_document() -> None:
    lines = '{"text": "今天\\n好", "label": 1}\n\n{"text": "fine"}\n'
    assert read(lines, "a.jsonl") == ["今天\n好", "fine"]


def test_each_line_may_be_a_text() -> None:
    assert list(read_lines(io.BytesIO("一\r\n\n  \n two\n".encode()), "a.txt")) == ["一", " two"]
    with pytest.raises(ValueError, match="line 2: it is no UTF-8"):
        list(read_lines(io.BytesIO(b"a\n\xff"), "a.txt"))


def test_a_long_document_is_cut_at_the_end_of_a_line() -> None:
    line = "x" * 999 + "\n"
    found = read(line * 250)
    assert [len(one) for one in found] == [MOST_CHARACTERS, MOST_CHARACTERS, 50_000]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("a\n" + "SECRET" * MOST_LINE_BYTES, "a.txt", "a.txt, line 2: it has over 262,144 bytes"),
        (b"a\nSECRET \xff\n", "a.txt", "a.txt, line 2: it is no UTF-8"),
        ('{"text": "a"}\nSECRET', "a.jsonl", "a.jsonl, line 2: it is no JSON"),
        ('{"text": " "}', "a.jsonl", "a.jsonl, line 1: it has to be an object with a text"),
        ('["SECRET"]', "a.jsonl", "a.jsonl, line 1: it has to be an object with a text"),
    ],
)
def test_a_wrong_line_is_named_and_never_shown(content: str | bytes, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read(content, name)
    assert "SECRET" not in str(caught.value)


def test_too_little_text_is_told() -> None:
    assert "there is no text" in str(text_fault("a", 0, 0))
    assert "9 documents" in str(text_fault("a", 9, 10_000))
    assert "999 characters" in str(text_fault("a", 10, 999))
    assert text_fault("a", 10, 1_000) is None
