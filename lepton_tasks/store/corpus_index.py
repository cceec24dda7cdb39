"""What workers store beside documents to find these again. Every method names the tenant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, select, update

from lepton_tasks.store.corpora import corpora, documents, features, missing, named, segments
from lepton_tasks.store.database import Database
from lepton_tasks.store.documents import SEGMENT

_PAGE = 256
"""Documents whose features one statement reads."""


@dataclass(frozen=True, slots=True)
class SegmentState:
    """A segment and the version of its last change; ``indexed``: its features are complete."""

    number: int
    version: int
    indexed: bool


@dataclass(frozen=True, slots=True)
class IndexState:
    """A corpus as an index has to follow it."""

    id: str
    version: int
    documents: int
    segments: tuple[SegmentState, ...]


@dataclass(frozen=True, slots=True)
class Unindexed:
    """A document without features. ``number`` is never that of another text."""

    number: int
    text: str


class CorpusIndexStore:
    """The tables corpus_features and corpus_segments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self, tenant: str, corpus: str, kind: int) -> IndexState:
        """What a corpus is made of now, for features of ``kind``.

        Raises:
            NotFound: the tenant has no such corpus.
        """
        with self._database.read() as connection:
            row = connection.execute(
                select(corpora.c.id, corpora.c.version, corpora.c.documents).where(
                    named(tenant, corpus)
                )
            ).first()
            if row is None:
                raise missing(corpus)
            found = connection.execute(
                select(segments).where(segments.c.corpus_id == row.id).order_by(segments.c.segment)
            ).all()
        states = tuple(
            SegmentState(one.segment, one.version, one.indexed == one.version and one.kind == kind)
            for one in found
        )
        return IndexState(row.id, row.version, row.documents, states)

    def pending(self, limit: int) -> list[tuple[str, str, int]]:
        """Some segments that changed since they were indexed: tenant, corpus, number."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(corpora.c.tenant, corpora.c.id, segments.c.segment)
                .join(corpora, corpora.c.id == segments.c.corpus_id)
                .where(
                    segments.c.indexed < segments.c.version,
                    corpora.c.deleted_at.is_(None),
                )
                .limit(limit)
            ).all()
        return [(row.tenant, row.id, row.segment) for row in rows]

    def unindexed(
        self, tenant: str, corpus: str, segment: int, kind: int, limit: int
    ) -> list[Unindexed]:
        """Some documents of a segment that have no features of ``kind``.

        Where there is none, the segment is noted to be complete, or goes where no document is
        left in it, unless it changes meanwhile.
        """
        with self._database.read() as connection:
            seen = connection.execute(
                select(segments.c.corpus_id, segments.c.version)
                .join(corpora, corpora.c.id == segments.c.corpus_id)
                .where(named(tenant, corpus), segments.c.segment == segment)
            ).first()
            if seen is None:
                return []
            has = and_(
                features.c.corpus_id == documents.c.corpus_id,
                features.c.number == documents.c.number,
                features.c.kind == kind,
            )
            rows = connection.execute(
                select(documents.c.number, documents.c.text)
                .outerjoin(features, has)
                .where(_within(documents, seen.corpus_id, segment), features.c.number.is_(None))
                .order_by(documents.c.number)
                .limit(limit)
            ).all()
        if not rows:
            self._complete(seen.corpus_id, segment, seen.version, kind)
        return [Unindexed(row.number, row.text) for row in rows]

    def store(self, tenant: str, corpus: str, kind: int, made: Mapping[int, bytes]) -> None:
        """Store features by document number; those of documents that are gone are dropped."""

        def work(connection: Connection) -> None:
            # Under the lock of whoever changes documents: none is erased between look and write.
            corpus_id = connection.execute(
                select(corpora.c.id).where(named(tenant, corpus)).with_for_update()
            ).scalar()
            if corpus_id is None:
                return
            numbers = list(made)
            alive = connection.execute(
                select(documents.c.number).where(
                    documents.c.corpus_id == corpus_id, documents.c.number.in_(numbers)
                )
            ).scalars()
            rows = [
                {"corpus_id": corpus_id, "number": one, "kind": kind, "features": made[one]}
                for one in alive
            ]
            connection.execute(
                features.delete().where(
                    features.c.corpus_id == corpus_id, features.c.number.in_(numbers)
                )
            )
            if rows:
                connection.execute(features.insert(), rows)

        self._database.transact(work, durable=False)

    def features(
        self, tenant: str, corpus: str, segment: int, kind: int
    ) -> Iterator[tuple[int, bytes]]:
        """Yield the features of a segment's documents by number, in order, read page by page."""
        after = segment * SEGMENT - 1
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    select(features.c.number, features.c.features)
                    .join(corpora, corpora.c.id == features.c.corpus_id)
                    .where(
                        named(tenant, corpus),
                        features.c.kind == kind,
                        features.c.number > after,
                        features.c.number < (segment + 1) * SEGMENT,
                    )
                    .order_by(features.c.number)
                    .limit(_PAGE)
                ).all()
            yield from ((row.number, row.features) for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].number

    def texts(self, tenant: str, corpus: str, numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Ids and texts of documents by number; those that are gone are left out."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(documents.c.number, documents.c.document_id, documents.c.text)
                .join(corpora, corpora.c.id == documents.c.corpus_id)
                .where(named(tenant, corpus), documents.c.number.in_(list(numbers)))
            ).all()
        return {row.number: (row.document_id, row.text) for row in rows}

    def _complete(self, corpus_id: str, segment: int, version: int, kind: int) -> None:
        """Note that all of a segment is indexed; one that has lost all its documents goes."""
        mine = (
            segments.c.corpus_id == corpus_id,
            segments.c.segment == segment,
            segments.c.version == version,
        )
        some = exists().where(_within(documents, corpus_id, segment))

        def work(connection: Connection) -> None:
            connection.execute(segments.delete().where(*mine, ~some))
            connection.execute(update(segments).where(*mine).values(indexed=version, kind=kind))

        self._database.transact(work, durable=False)


def _within(table: Table, corpus_id: str, segment: int) -> ColumnElement[bool]:
    """Rows of a corpus's table whose numbers are of ``segment``."""
    return and_(
        table.c.corpus_id == corpus_id,
        table.c.number >= segment * SEGMENT,
        table.c.number < (segment + 1) * SEGMENT,
    )
