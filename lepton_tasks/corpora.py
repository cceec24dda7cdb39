"""Corpora as producers see them: what a document may be, and how large things may grow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lepton_tasks.errors import InvalidInput
from lepton_tasks.ids import new_id
from lepton_tasks.settings import Settings

MOST_DOCUMENTS_AT_ONCE: Final = 1_000
"""Documents of one request."""
PAGE_DOCUMENTS: Final = 500
"""Documents of a stream that are stored at a time."""
_PAGE_CHARACTERS: Final = 1_000_000
MAX_ID_LENGTH: Final = 200
MAX_METADATA_BYTES: Final = 2_048
"""Of a document's metadata, as JSON."""
CORPUS_PREFIX: Final = "corpus"
NAME_PATTERN: Final = r"^\w[\w.-]{0,63}$"
"""Of a corpus's name; none begins like an id."""

_NAME: Final = re.compile(NAME_PATTERN)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_FIELDS: Final = ("id", "text", "metadata")


@dataclass(frozen=True, slots=True)
class CorpusLimits:
    """The most that a corpus may hold, and the characters of one document."""

    documents: int
    characters: int
    document_characters: int

    @classmethod
    def of(cls, settings: Settings) -> CorpusLimits:
        """Those that the operator has set."""
        return cls(
            settings.corpus_documents,
            settings.corpus_characters,
            settings.corpus_document_characters,
        )


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A checked document. ``metadata`` is JSON."""

    id: str
    text: str
    metadata: str = "{}"

    @property
    def fingerprint(self) -> str:
        """What tells it from another text or other metadata."""
        parts = f"{len(self.text)}:{self.text}{self.metadata}"
        return hashlib.sha256(parts.encode()).hexdigest()


def check_name(name: object, param: str = "name") -> str:
    """Return the name of a new corpus.

    >>> check_name("handbook-2"), check_name("员工手册")
    ('handbook-2', '员工手册')

    Raises:
        InvalidInput: it is no name, or might be taken for an id.
    """
    if (
        not isinstance(name, str)
        or not _NAME.fullmatch(name)
        or name.startswith(f"{CORPUS_PREFIX}_")
    ):
        raise InvalidInput(
            f"{param} must be 1 to 64 letters, digits, dots, dashes or underscores, begin with "
            f"none of the signs, and not with {CORPUS_PREFIX}_",
            param,
            "invalid_name",
        )
    return name


def read_documents(
    values: object, limits: CorpusLimits, param: str = "documents"
) -> list[NewDocument]:
    """Check the documents of one request: ``{"id"?, "text", "metadata"?}``, or a text, each.

    One without an id gets one.

    Raises:
        InvalidInput: one is wrong; ``param`` names the field.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise InvalidInput(f"{param} must be an array of objects", param, "invalid_type")
    if not values:
        raise InvalidInput(f"{param} is empty; send at least one", param, "empty_documents")
    if len(values) > MOST_DOCUMENTS_AT_ONCE:
        raise InvalidInput(
            f"{param} has {len(values):,} documents, a request takes at most "
            f"{MOST_DOCUMENTS_AT_ONCE:,}; send several requests",
            param,
            "too_many_documents",
        )
    found = [read_document(one, limits, f"{param}[{at}]") for at, one in enumerate(values)]
    check_ids_differ((one.id for one in found), param)
    return found


def check_ids_differ(ids: Iterable[str], param: str) -> None:
    """Raise InvalidInput where two documents of one request have the same id."""
    seen: set[str] = set()
    for at, one in enumerate(ids):
        if one in seen:
            raise InvalidInput(
                f"{param}[{at}].id is that of an earlier document of this request; ids differ",
                f"{param}[{at}].id",
                "duplicate_id",
            )
        seen.add(one)


def read_document(value: object, limits: CorpusLimits, param: str = "document") -> NewDocument:
    """Check one document.

    >>> limits = CorpusLimits(10, 1_000, 100)
    >>> read_document({"id": "a", "text": "你好", "metadata": {"year": 2024}}, limits)
    NewDocument(id='a', text='你好', metadata='{"year":2024}')

    Raises:
        InvalidInput: it is wrong; ``param`` names the field.
    """
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, Mapping):
        raise InvalidInput(
            f'{param} must be an object such as {{"id": "1", "text": "…"}}', param, "invalid_type"
        )
    for name in value:
        if name not in _FIELDS:
            raise InvalidInput(
                f"{param} has no field {str(name)[:80]!r}; the fields are: {', '.join(_FIELDS)}",
                f"{param}.{str(name)[:80]}",
                "unknown_field",
            )
    return NewDocument(
        _read_id(value.get("id"), f"{param}.id"),
        _read_text(value.get("text"), limits.document_characters, f"{param}.text"),
        _read_metadata(value.get("metadata"), f"{param}.metadata"),
    )


def _read_id(value: Any, param: str) -> str:
    if value is None:
        return new_id("doc")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= MAX_ID_LENGTH
        or not value.isprintable()
        or value != value.strip()
        or value in (".", "..")
    ):
        raise InvalidInput(
            f"{param} must be printable text of 1 to {MAX_ID_LENGTH} characters",
            param,
            "invalid_id",
        )
    return value


def _read_text(value: Any, most: int, param: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{param} must be a string", param, "invalid_type")
    if len(value) > most:
        raise InvalidInput(
            f"{param} has {len(value):,} characters; a document takes at most {most:,} "
            "(LEPTON_CORPUS_DOCUMENT_CHARACTERS). Split it into several documents.",
            param,
            "text_too_long",
        )
    if not value or value.isspace():
        raise InvalidInput(f"{param} is empty; send some text", param, "empty_text")
    _check_storable(value, param)
    return value


def _read_metadata(value: Any, param: str) -> str:
    if value is None:
        return "{}"
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{param} must be an object", param, "invalid_type")
    try:
        text = orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:  # half a surrogate pair, or no JSON at all
        raise InvalidInput(f"{param} must be well-formed JSON", param) from error
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise InvalidInput(
            f"{param} is larger than {MAX_METADATA_BYTES:,} bytes of JSON", param, "too_large"
        )
    return text


def _check_storable(text: str, param: str) -> None:
    if found := _UNSTORABLE.search(text):
        raise InvalidInput(
            f"{param} holds a NUL or half of a surrogate pair at character {found.start()}; "
            "send well-formed Unicode without NUL",
            param,
            "invalid_unicode",
        )


class Pages:
    """Cuts a stream of documents into requests: each bounded, the ids of each differing.

    >>> pages = Pages(most=2)
    >>> [pages.add(NewDocument(one, "…")) is None for one in ("a", "b", "b")]
    [True, False, True]
    >>> pages.rest()
    [NewDocument(id='b', text='…', metadata='{}')]
    """

    def __init__(self, most: int = PAGE_DOCUMENTS) -> None:
        self._most = most
        self._page: list[NewDocument] = []
        self._ids: set[str] = set()
        self._characters = 0

    def add(self, one: NewDocument) -> list[NewDocument] | None:
        """Take a document; returns a page that is full, or that must go before ``one``."""
        full = None
        if one.id in self._ids:
            full = self.rest()
        self._page.append(one)
        self._ids.add(one.id)
        self._characters += len(one.text)
        if full is None and (len(self._page) >= self._most or self._characters >= _PAGE_CHARACTERS):
            full = self.rest()
        return full

    def rest(self) -> list[NewDocument]:
        """Return what was not returned yet."""
        page, self._page, self._ids, self._characters = self._page, [], set(), 0
        return page
