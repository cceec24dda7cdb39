"""Corpora and documents as they go in and out over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from api.views import StoredView
from lepton_tasks.corpora import MAX_ID_LENGTH, MOST_DOCUMENTS_AT_ONCE, NAME_PATTERN
from lepton_tasks.store.documents import Added

CorpusRef = Annotated[str, Path(description="Id or name of a corpus.")]
DocumentRef = Annotated[str, Path(description="Id of a document.")]


class CorpusCreate(BaseModel):
    """A corpus to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=NAME_PATTERN)]


class DocumentCreate(BaseModel):
    """A document; it gets an id where it has none, and replaces one that has its id."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=MAX_ID_LENGTH)] | None = None
    text: str
    metadata: dict[str, Any] | None = None


class DocumentsCreate(BaseModel):
    """Documents to be added to a corpus; one that is a text alone gets an id."""

    model_config = ConfigDict(extra="forbid")

    documents: Annotated[
        list[DocumentCreate | str], Field(min_length=1, max_length=MOST_DOCUMENTS_AT_ONCE)
    ]


class CorpusView(StoredView):
    """A corpus. ``version`` rises with every change of its documents. Times are Unix seconds."""

    id: str
    object: Literal["corpus"] = "corpus"
    name: str
    version: int
    documents: int
    characters: int
    created_at: float
    updated_at: float


class DocumentView(StoredView):
    """A document. Times are Unix seconds."""

    id: str
    object: Literal["document"] = "document"
    text: str
    metadata: dict[str, Any]
    characters: int
    created_at: float
    updated_at: float


class DocumentsAdded(BaseModel):
    """What became of documents that were sent; ``ids`` in their order, null after a stream."""

    object: Literal["corpus.documents"] = "corpus.documents"
    corpus: str
    version: int
    added: int
    replaced: int
    unchanged: int
    ids: list[str] | None

    @classmethod
    def of(cls, corpus: str, done: Added, ids: list[str] | None) -> Self:
        """View of what became of the documents of a request."""
        return cls(
            corpus=corpus,
            version=done.version,
            added=done.added,
            replaced=done.replaced,
            unchanged=done.unchanged,
            ids=ids,
        )


class CorpusDeleted(BaseModel):
    """A corpus that is no more, nor any of its documents."""

    id: str
    object: Literal["corpus"] = "corpus"
    deleted: Literal[True] = True


class DocumentDeleted(BaseModel):
    """A document that is no more."""

    id: str
    object: Literal["document"] = "document"
    deleted: Literal[True] = True
