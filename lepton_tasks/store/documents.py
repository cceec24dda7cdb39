"""Documents of corpora. Every method names the tenant and its corpus, by name or id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.corpora import CorpusLimits, NewDocument
from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.store.corpora import corpora, documents, features, missing, named, segments
from lepton_tasks.store.database import Database, now

SEGMENT: Final = 1024
"""Numbers of documents that make a segment: what workers index, and load, at a time."""

_VIEW: Final = [
    documents.c[name]
    for name in [
        "number",
        "document_id",
        "text",
        "metadata",
        "characters",
        "created_at",
        "updated_at",
    ]
]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as its tenant sees it."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    characters: int
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the documents of one request, and of their corpus."""

    version: int
    ids: Sequence[str]
    added: int
    replaced: int
    unchanged: int

    def plus(self, later: Added) -> Added:
        """Both requests as one, without the ids."""
        return Added(
            later.version,
            (),
            self.added + later.added,
            self.replaced + later.replaced,
            self.unchanged + later.unchanged,
        )


class DocumentStore:
    """The corpus_documents table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, tenant: str, corpus: str, new: Sequence[NewDocument], limits: CorpusLimits
    ) -> Added:
        """Add documents whose ids differ, all of them or none; they replace those of their ids.

        One that is there as it is stays untouched, and a request of such alone changes no
        version.

        Raises:
            NotFound: the tenant has no such corpus.
            InvalidInput: the corpus has no room for them.
        """
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite

        def work(connection: Connection) -> Added:
            found = _lock(connection, tenant, corpus)
            old = _by_id(connection, found.id, [one.id for one in new])
            wanted = [
                one
                for one in new
                if one.id not in old or old[one.id].fingerprint != one.fingerprint
            ]
            ids = [one.id for one in new]
            replaced = [old[one.id] for one in wanted if one.id in old]
            if not wanted:
                return Added(found.version, ids, 0, 0, len(new))
            count = found.documents + len(wanted) - len(replaced)
            size = found.characters + sum(len(one.text) for one in wanted)
            size -= sum(row.characters for row in replaced)
            _check_room(count, size, limits)
            _erase(connection, found.id, [row.number for row in replaced])
            clock = connection.execute(select(now())).scalar_one()
            rows = [_row(found, place, one, clock) for place, one in enumerate(wanted)]
            for row in rows:
                if row["document_id"] in old:
                    row["created_at"] = old[row["document_id"]].created_at
            connection.execute(documents.insert(), rows)
            numbers = range(found.next_number, found.next_number + len(wanted))
            touched = [*numbers, *(row.number for row in replaced)]
            version = found.version + 1
            _touch(connection, dialect, found.id, touched, version)
            connection.execute(
                update(corpora)
                .where(corpora.c.id == found.id)
                .values(
                    version=version,
                    next_number=numbers.stop,
                    documents=count,
                    characters=size,
                    updated_at=now(),
                )
            )
            new_ones = len(wanted) - len(replaced)
            return Added(version, ids, new_ones, len(replaced), len(new) - len(wanted))

        return self._database.transact(work)

    def get(self, tenant: str, corpus: str, document_id: str) -> Document:
        """Read a document.

        Raises:
            NotFound: the tenant has no such corpus, or that has no such document.
        """
        with self._database.read() as connection:
            corpus_id = _id_of(connection, tenant, corpus)
            row = connection.execute(
                select(*_VIEW).where(
                    documents.c.corpus_id == corpus_id, documents.c.document_id == document_id
                )
            ).first()
        if row is None:
            raise _no_document(corpus, document_id)
        return _view(row)

    def page(
        self, tenant: str, corpus: str, *, after: str | None = None, limit: int = 20
    ) -> list[Document]:
        """Page through a corpus, the latest change first, beginning after the document ``after``.

        Raises:
            NotFound: the tenant has no such corpus, or that no document ``after``.
        """
        with self._database.read() as connection:
            corpus_id = _id_of(connection, tenant, corpus)
            query = select(*_VIEW).where(documents.c.corpus_id == corpus_id)
            if after is not None:
                last = connection.execute(
                    select(documents.c.number).where(
                        documents.c.corpus_id == corpus_id, documents.c.document_id == after
                    )
                ).scalar()
                if last is None:
                    raise _no_document(corpus, after)
                query = query.where(documents.c.number < last)
            rows = connection.execute(query.order_by(documents.c.number.desc()).limit(limit)).all()
        return [_view(row) for row in rows]

    def delete(self, tenant: str, corpus: str, document_id: str) -> None:
        """Erase a document and all that was made of it.

        Raises:
            NotFound: the tenant has no such corpus, or that has no such document.
        """
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite

        def work(connection: Connection) -> None:
            found = _lock(connection, tenant, corpus)
            row = _by_id(connection, found.id, [document_id]).get(document_id)
            if row is None:
                raise _no_document(corpus, document_id)
            _erase(connection, found.id, [row.number])
            _touch(connection, dialect, found.id, [row.number], found.version + 1)
            connection.execute(
                update(corpora)
                .where(corpora.c.id == found.id)
                .values(
                    version=found.version + 1,
                    documents=found.documents - 1,
                    characters=found.characters - row.characters,
                    updated_at=now(),
                )
            )

        self._database.transact(work)
        self._database.checkpoint()


def _lock(connection: Connection, tenant: str, corpus: str) -> Row[Any]:
    """The corpus, which nobody else changes until the transaction ends."""
    query = select(corpora).where(named(tenant, corpus)).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise missing(corpus)
    return row


def _id_of(connection: Connection, tenant: str, corpus: str) -> str:
    found: str | None = connection.execute(
        select(corpora.c.id).where(named(tenant, corpus))
    ).scalar()
    if found is None:
        raise missing(corpus)
    return found


def _by_id(connection: Connection, corpus_id: str, ids: Sequence[str]) -> dict[str, Row[Any]]:
    rows: Any = connection.execute(
        select(
            documents.c.number,
            documents.c.document_id,
            documents.c.fingerprint,
            documents.c.characters,
            documents.c.created_at,
        ).where(documents.c.corpus_id == corpus_id, documents.c.document_id.in_(ids))
    ).all()
    return {row.document_id: row for row in rows}


def _erase(connection: Connection, corpus_id: str, numbers: Sequence[int]) -> None:
    for table in (features, documents):
        connection.execute(
            delete(table).where(table.c.corpus_id == corpus_id, table.c.number.in_(numbers))
        )


def _touch(
    connection: Connection, dialect: Any, corpus_id: str, numbers: Iterable[int], version: int
) -> None:
    """Note of the segments of ``numbers`` that they changed."""
    insert = dialect.insert(segments)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["corpus_id", "segment"], set_={"version": insert.excluded.version}
        ),
        [
            {"corpus_id": corpus_id, "segment": one, "version": version, "indexed": -1, "kind": 0}
            for one in sorted({number // SEGMENT for number in numbers})
        ],
    )


def _row(corpus: Row[Any], place: int, one: NewDocument, clock: float) -> dict[str, Any]:
    return {
        "corpus_id": corpus.id,
        "number": corpus.next_number + place,
        "document_id": one.id,
        "text": one.text,
        "metadata": one.metadata,
        "fingerprint": one.fingerprint,
        "characters": len(one.text),
        "created_at": clock,
        "updated_at": clock,
    }


def _check_room(count: int, size: int, limits: CorpusLimits) -> None:
    for found, most, unit, setting in (
        (count, limits.documents, "documents", "LEPTON_CORPUS_DOCUMENTS"),
        (size, limits.characters, "characters", "LEPTON_CORPUS_CHARACTERS"),
    ):
        if found > most:
            raise InvalidInput(
                f"with these the corpus would have {found:,} {unit}, and it takes at most "
                f"{most:,} ({setting}); nothing was added. Delete some, or use another corpus",
                "documents",
                "corpus_full",
            )


def _no_document(corpus: str, document_id: str) -> NotFound:
    return NotFound(f"no document {document_id[:80]} in the corpus {corpus[:80]}")


def _view(row: Row[Any]) -> Document:
    return Document(
        row.document_id,
        row.text,
        orjson.loads(row.metadata),
        row.characters,
        row.created_at,
        row.updated_at,
    )
