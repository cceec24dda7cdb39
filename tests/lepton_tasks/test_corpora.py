"""What a document may be, and what is said of one that may not."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.corpora import (
    MOST_DOCUMENTS_AT_ONCE,
    CorpusLimits,
    NewDocument,
    Pages,
    check_name,
    read_documents,
)
from lepton_tasks.errors import InvalidInput

LIMITS = CorpusLimits(documents=10, characters=1_000, document_characters=20)


def test_ids_are_given_or_made() -> None:
    given, number, made = read_documents(
        [{"id": "甲/1", "text": "你好"}, {"id": 7, "text": "b"}, "bare"], LIMITS
    )
    assert (given.id, number.id, made.text) == ("甲/1", "7", "bare")
    assert made.id.startswith("doc_")


def test_the_fingerprint_tells_text_and_metadata_apart() -> None:
    one = NewDocument("a", "text", '{"x":1}')
    assert one.fingerprint == NewDocument("b", "text", '{"x":1}').fingerprint
    others = (NewDocument("a", "text"), NewDocument("a", "tex", 't{"x":1}'))
    assert one.fingerprint not in {other.fingerprint for other in others}


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        (None, "documents", "invalid_type"),
        ("text", "documents", "invalid_type"),
        ([], "documents", "empty_documents"),
        (["x"] * (MOST_DOCUMENTS_AT_ONCE + 1), "documents", "too_many_documents"),
        ([7], "documents[0]", "invalid_type"),
        (["ok", {"id": "a"}], "documents[1].text", "invalid_type"),
        ([{"text": " \n"}], "documents[0].text", "empty_text"),
        ([{"text": "x" * 21}], "documents[0].text", "text_too_long"),
        ([{"text": "a\0"}], "documents[0].text", "invalid_unicode"),
        ([{"text": "\ud800"}], "documents[0].text", "invalid_unicode"),
        ([{"text": "a", "id": ""}], "documents[0].id", "invalid_id"),
        ([{"text": "a", "id": "x" * 201}], "documents[0].id", "invalid_id"),
        ([{"text": "a", "id": "a\nb"}], "documents[0].id", "invalid_id"),
        ([{"text": "a", "id": True}], "documents[0].id", "invalid_id"),
        ([{"text": "a", "id": ".."}], "documents[0].id", "invalid_id"),
        ([{"text": "a", "metadata": []}], "documents[0].metadata", "invalid_type"),
        ([{"text": "a", "metadata": {"k": "v" * 3_000}}], "documents[0].metadata", "too_large"),
        ([{"text": "a", "metadata": {"k": "\ud800"}}], "documents[0].metadata", "invalid_input"),
        ([{"text": "a", "txt": "b"}], "documents[0].txt", "unknown_field"),
        ([{"text": "a", "id": "1"}, {"text": "b", "id": 1}], "documents[1].id", "duplicate_id"),
    ],
)
def test_what_is_wrong_is_named(value: Any, param: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_documents(value, LIMITS)
    assert (refused.value.param, refused.value.code) == (param, code)


@pytest.mark.parametrize("name", ["", "a b", "-a", ".a", "corpus_1", "x" * 65, "a/b", None, 7])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_name(name)
    assert refused.value.param == "name"


def test_a_stream_is_cut_by_size_too() -> None:
    pages = Pages()
    large = NewDocument("a", "x" * 1_000_001)
    assert pages.add(large) == [large]
    assert pages.rest() == []
