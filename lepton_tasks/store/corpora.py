"""Corpora in the store. Every method names the tenant; a corpus is named by its name or id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from lepton_tasks.corpora import CORPUS_PREFIX
from lepton_tasks.errors import Conflict, NotFound
from lepton_tasks.ids import new_id
from lepton_tasks.store.corpus_tables import (
    CorpusFeaturesRow,
    CorpusRow,
    CorpusSegmentRow,
    DocumentRow,
)
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.paging import newest_first

corpora = CorpusRow.__table__  # type: ignore[attr-defined]
documents = DocumentRow.__table__  # type: ignore[attr-defined]
features = CorpusFeaturesRow.__table__  # type: ignore[attr-defined]
segments = CorpusSegmentRow.__table__  # type: ignore[attr-defined]

MOST_CORPORA: Final = 100
"""Corpora that one tenant may have."""
_PAGE: Final = 200
"""Documents that one transaction erases."""

_VIEW: Final = [
    corpora.c[name]
    for name in [
        "id",
        "tenant",
        "name",
        "version",
        "documents",
        "characters",
        "created_at",
        "updated_at",
    ]
]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus as its tenant sees it. ``version`` rises with every change of its documents."""

    id: str
    tenant: str
    name: str
    version: int
    documents: int
    characters: int
    created_at: float
    updated_at: float


class CorpusStore:
    """The corpora table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, tenant: str, name: str) -> Corpus:
        """Make an empty corpus called ``name``, which was checked.

        Raises:
            Conflict: the tenant has one of that name, or as many as it may.
        """
        corpus_id = new_id(CORPUS_PREFIX)

        def work(connection: Connection) -> None:
            count = connection.execute(
                select(func.count()).where(corpora.c.tenant == tenant, _LIVE)
            ).scalar_one()
            if count >= MOST_CORPORA:
                raise Conflict(
                    f"there are {count} corpora, the most that a tenant may have; delete one first",
                    "too_many_corpora",
                )
            connection.execute(
                corpora.insert().values(
                    id=corpus_id,
                    tenant=tenant,
                    name=name,
                    version=0,
                    next_number=0,
                    documents=0,
                    characters=0,
                    created_at=now(),
                    updated_at=now(),
                )
            )

        try:
            self._database.transact(work)
        except IntegrityError as error:
            raise Conflict(
                f"there is a corpus {name} already; add documents to it, or choose another name",
                "corpus_exists",
            ) from error
        return self.get(tenant, corpus_id)

    def get(self, tenant: str, corpus: str) -> Corpus:
        """Read a corpus.

        Raises:
            NotFound: the tenant has no such corpus.
        """
        with self._database.read() as connection:
            row = connection.execute(select(*_VIEW).where(named(tenant, corpus))).first()
        if row is None:
            raise missing(corpus)
        return _view(row)

    def exists(self, tenant: str, corpus: str) -> bool:
        """Whether the tenant has a corpus of that name or id."""
        with self._database.read() as connection:
            found = connection.execute(select(corpora.c.id).where(named(tenant, corpus))).first()
        return found is not None

    def page(self, tenant: str, *, after: str | None = None, limit: int = 20) -> list[Corpus]:
        """Page through a tenant's corpora, newest first, beginning after ``after``.

        Raises:
            NotFound: ``after`` is no corpus of this tenant.
        """
        query = select(*_VIEW).where(corpora.c.tenant == tenant, _LIVE)
        last = None if after is None else self.get(tenant, after)
        with self._database.read() as connection:
            rows = connection.execute(newest_first(query, corpora, last, limit)).all()
        return [_view(row) for row in rows]

    def delete(self, tenant: str, corpus: str) -> None:
        """Erase a corpus with its documents and all that was made of them.

        It is gone at once, and its documents, page by page, when this returns; where it
        does not, :meth:`sweep` goes on.

        Raises:
            NotFound: the tenant has no such corpus.
        """

        def work(connection: Connection) -> str:
            gone: str | None = connection.execute(
                update(corpora)
                .where(named(tenant, corpus))
                .values(name=corpora.c.id, deleted_at=now())
                .returning(corpora.c.id)
            ).scalar()
            if gone is None:
                raise missing(corpus)
            return gone

        corpus_id = self._database.transact(work)
        while not self._database.transact(partial(_erase_page, corpus_id)):
            pass
        self._database.checkpoint()

    def sweep(self) -> bool:
        """Erase a page of a corpus that was deleted; whether there may be more of that."""
        with self._database.read() as connection:
            query = select(corpora.c.id).where(corpora.c.deleted_at.is_not(None)).limit(1)
            corpus_id = connection.execute(query).scalar()
        if corpus_id is None:
            return False
        self._database.transact(partial(_erase_page, corpus_id))
        return True


_LIVE: Final = corpora.c.deleted_at.is_(None)


def named(tenant: str, corpus: str) -> ColumnElement[bool]:
    """Which row is the tenant's corpus of that name or id."""
    which = or_(corpora.c.name == corpus, corpora.c.id == corpus)
    return and_(corpora.c.tenant == tenant, which, _LIVE)


def missing(corpus: str) -> NotFound:
    """There is none of that name or id, as far as its tenant can know."""
    return NotFound(f"no corpus {corpus[:80]}")


def _erase_page(corpus_id: str, connection: Connection) -> bool:
    """Erase some documents of a deleted corpus; True when that was all, and the corpus went."""
    for table in (features, documents):
        page = (
            select(table.c.number)
            .where(table.c.corpus_id == corpus_id)
            .order_by(table.c.number)
            .limit(_PAGE)
        )
        numbers = connection.execute(page).scalars().all()
        connection.execute(
            delete(table).where(table.c.corpus_id == corpus_id, table.c.number.in_(numbers))
        )
        if len(numbers) == _PAGE:
            return False
    connection.execute(delete(segments).where(segments.c.corpus_id == corpus_id))
    connection.execute(delete(corpora).where(corpora.c.id == corpus_id))
    return True


def _view(row: Row[Any]) -> Corpus:
    return Corpus(**row._mapping)
