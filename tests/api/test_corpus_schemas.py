"""Corpora and documents as they are shown, and what may come in."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.corpus_schemas import (
    CorpusCreate,
    CorpusView,
    DocumentsAdded,
    DocumentsCreate,
    DocumentView,
)
from lepton_tasks.corpora import MOST_DOCUMENTS_AT_ONCE
from lepton_tasks.store.corpora import Corpus
from lepton_tasks.store.documents import Added, Document


def test_a_corpus_is_shown_without_its_tenant() -> None:
    shown = CorpusView.of(Corpus("corpus_1", "acme", "laws", 4, 2, 30, 1.0, 2.0)).model_dump()
    assert "acme" not in repr(shown)
    assert (shown["name"], shown["version"], shown["documents"]) == ("laws", 4, 2)


def test_a_document_is_shown_whole() -> None:
    shown = DocumentView.of(Document("d1", "第一条", {"year": 2021}, 3, 1.0, 2.0))
    assert (shown.id, shown.text, shown.metadata) == ("d1", "第一条", {"year": 2021})


def test_what_was_added_is_told_with_ids_or_without() -> None:
    done = Added(3, ("a", "b"), 1, 1, 0).plus(Added(4, ("c",), 0, 0, 1))
    shown = DocumentsAdded.of("corpus_1", done, None)
    assert (shown.version, shown.added, shown.replaced, shown.unchanged) == (4, 1, 1, 1)
    assert shown.ids is None
    assert DocumentsAdded.of("corpus_1", done, ["a"]).ids == ["a"]


def test_what_may_come_in_is_bounded() -> None:
    CorpusCreate(name="laws")
    for wrong in ("", "a/b", "x" * 1_000):
        with pytest.raises(ValidationError, match="name"):
            CorpusCreate(name=wrong)
    for count in (0, MOST_DOCUMENTS_AT_ONCE + 1):
        with pytest.raises(ValidationError, match="documents"):
            DocumentsCreate.model_validate({"documents": [{"text": "茶"}] * count})
