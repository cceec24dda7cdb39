"""Corpora and their documents: changed, paged, erased; of one tenant alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from lepton_tasks.corpora import CorpusLimits, NewDocument
from lepton_tasks.errors import Conflict, InvalidInput, NotFound
from lepton_tasks.retention import Retention
from lepton_tasks.settings import Settings
from lepton_tasks.store.corpora import MOST_CORPORA, documents, features, segments
from lepton_tasks.store.documents import SEGMENT, Added
from lepton_tasks.store.store import Store, open_store

LIMITS = CorpusLimits(documents=5_000, characters=100_000, document_characters=1_000)
ACME, OTHER = "acme", "other"
KIND = 3


def doc(name: str, words: str | None = None, metadata: str = "{}") -> NewDocument:
    return NewDocument(name, words or f"text of {name}", metadata)


def put(store: Store, *new: NewDocument, tenant: str = ACME, corpus: str = "handbook") -> Added:
    return store.documents.put(tenant, corpus, new, LIMITS)


@pytest.fixture
def filled(quick_store: Store) -> Store:
    quick_store.corpora.create(ACME, "handbook")
    put(quick_store, doc("a"), doc("b"), doc("c"))
    return quick_store


def test_a_change_raises_the_version_and_the_counts_follow(filled: Store) -> None:
    store = filled
    before = store.corpora.get(ACME, "handbook")
    assert (before.version, before.documents, before.characters) == (1, 3, 27)
    unchanged = put(store, doc("a"), doc("c"))
    assert (unchanged.version, unchanged.unchanged) == (1, 2)
    mixed = put(store, doc("a"), doc("b", "新的文字"), doc("d"))
    assert (mixed.version, mixed.added, mixed.replaced, mixed.unchanged) == (2, 1, 1, 1)
    assert put(store, doc("a", metadata='{"page":1}')).replaced == 1
    after = store.corpora.get(ACME, before.id)
    assert (after.version, after.documents, after.characters) == (3, 4, 31)
    assert after.updated_at >= before.updated_at
    assert store.documents.get(ACME, "handbook", "a").metadata == {"page": 1}
    kept = store.documents.get(ACME, "handbook", "b")
    assert (kept.text, kept.characters) == ("新的文字", 4)
    assert kept.created_at <= kept.updated_at
    store.documents.delete(ACME, "handbook", "b")
    last = store.corpora.get(ACME, "handbook")
    assert (last.version, last.documents, last.characters) == (4, 3, 27)


def test_documents_are_paged_the_latest_change_first(filled: Store) -> None:
    put(filled, doc("a", "changed"))
    first = filled.documents.page(ACME, "handbook", limit=2)
    rest = filled.documents.page(ACME, "handbook", after=first[-1].id, limit=2)
    assert [one.id for one in (*first, *rest)] == ["a", "c", "b"]
    with pytest.raises(NotFound, match="no document x"):
        filled.documents.page(ACME, "handbook", after="x")


def test_a_full_corpus_takes_nothing_more(filled: Store) -> None:
    for limits, setting in (
        (CorpusLimits(3, 1_000, 1_000), "LEPTON_CORPUS_DOCUMENTS"),
        (CorpusLimits(10, 34, 1_000), "LEPTON_CORPUS_CHARACTERS"),
    ):
        with pytest.raises(InvalidInput, match=setting) as refused:
            filled.documents.put(ACME, "handbook", [doc("a", "replaced"), doc("d")], limits)
        assert (refused.value.param, refused.value.code) == ("documents", "corpus_full")
    assert filled.corpora.get(ACME, "handbook").version == 1
    assert filled.documents.get(ACME, "handbook", "a").text == "text of a"


def test_names_are_used_once_and_corpora_are_counted(filled: Store) -> None:
    with pytest.raises(Conflict) as taken:
        filled.corpora.create(ACME, "handbook")
    assert taken.value.code == "corpus_exists"
    for number in range(MOST_CORPORA - 1):
        filled.corpora.create(ACME, f"c{number}")
    with pytest.raises(Conflict) as full:
        filled.corpora.create(ACME, "one-more")
    assert full.value.code == "too_many_corpora"
    assert filled.corpora.create(OTHER, "handbook").documents == 0
    names = [one.name for one in filled.corpora.page(ACME, limit=2)]
    assert names == [f"c{MOST_CORPORA - 2}", f"c{MOST_CORPORA - 3}"]


CALLS: list[Callable[[Store, str, str], object]] = [
    lambda store, tenant, corpus: store.corpora.get(tenant, corpus),
    lambda store, tenant, corpus: store.corpora.delete(tenant, corpus),
    lambda store, tenant, corpus: put(store, doc("z"), tenant=tenant, corpus=corpus),
    lambda store, tenant, corpus: store.documents.get(tenant, corpus, "a"),
    lambda store, tenant, corpus: store.documents.page(tenant, corpus),
    lambda store, tenant, corpus: store.documents.delete(tenant, corpus, "a"),
    lambda store, tenant, corpus: store.corpus_index.state(tenant, corpus, KIND),
]


def test_another_tenants_corpus_is_not_there(filled: Store) -> None:
    corpus = filled.corpora.get(ACME, "handbook")
    for call in CALLS:
        for name in ("handbook", corpus.id):
            with pytest.raises(NotFound):
                call(filled, OTHER, name)
    index = filled.corpus_index
    assert index.unindexed(OTHER, corpus.id, 0, KIND, 10) == []
    assert index.texts(OTHER, corpus.id, [0, 1]) == {}
    index.store(OTHER, corpus.id, KIND, {0: b"theirs"})
    assert list(index.features(ACME, corpus.id, 0, KIND)) == []
    assert filled.corpora.get(ACME, "handbook") == corpus

    # One of the same name is another one.
    filled.corpora.create(OTHER, "handbook")
    put(filled, doc("a", "theirs"), tenant=OTHER)
    assert filled.documents.get(ACME, "handbook", "a").text == "text of a"
    filled.corpora.delete(OTHER, "handbook")
    assert filled.documents.get(ACME, "handbook", "a").text == "text of a"


def test_a_deleted_corpus_frees_its_name_and_another_begins_empty(filled: Store) -> None:
    old = filled.corpora.get(ACME, "handbook")
    filled.corpora.delete(ACME, "handbook")
    with pytest.raises(NotFound):
        filled.corpora.get(ACME, old.id)
    new = filled.corpora.create(ACME, "handbook")
    assert (new.documents, new.id != old.id) == (0, True)
    assert filled.documents.page(ACME, "handbook") == []
    with filled.database.read() as connection:
        for table in (documents, features, segments):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0


def test_a_deletion_that_was_cut_short_is_finished_by_the_sweep(filled: Store) -> None:
    with filled.database.write() as connection:
        connection.execute(text("UPDATE corpora SET deleted_at = 1, name = id"))
    with pytest.raises(NotFound):
        filled.documents.page(ACME, "handbook")
    retention = Retention(filled, Settings(retention_days=0))
    retention.sweep()  # a page
    retention.sweep()  # and there is no more
    assert not filled.corpora.sweep()
    with filled.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(documents)).scalar() == 0


def test_features_follow_their_documents(filled: Store) -> None:
    index, corpus = filled.corpus_index, filled.corpora.get(ACME, "handbook")
    assert index.pending(5) == [(ACME, corpus.id, 0)]
    found = index.unindexed(ACME, "handbook", 0, KIND, 10)
    assert [one.text for one in found] == ["text of a", "text of b", "text of c"]
    filled.documents.delete(ACME, "handbook", "b")  # while its features are made
    index.store(ACME, "handbook", KIND, {one.number: b"f%d" % one.number for one in found})
    assert list(index.features(ACME, "handbook", 0, KIND)) == [(0, b"f0"), (2, b"f2")]
    assert index.unindexed(ACME, "handbook", 0, KIND, 10) == []
    assert index.pending(5) == []
    [segment] = index.state(ACME, "handbook", KIND).segments
    assert (segment.version, segment.indexed) == (2, True)

    put(filled, doc("a", "changed"))
    assert [number for number, _ in index.features(ACME, "handbook", 0, KIND)] == [2]
    assert index.pending(5) == [(ACME, corpus.id, 0)]
    assert not index.state(ACME, "handbook", KIND).segments[0].indexed
    # Of another version of the features there are none.
    assert len(index.unindexed(ACME, "handbook", 0, KIND + 1, 10)) == 2


def test_a_change_meanwhile_leaves_a_segment_incomplete(filled: Store) -> None:
    index = filled.corpus_index
    made = {one.number: b"f" for one in index.unindexed(ACME, "handbook", 0, KIND, 10)}
    index.store(ACME, "handbook", KIND, made)
    put(filled, doc("d"))
    assert [one.number for one in index.unindexed(ACME, "handbook", 0, KIND, 10)] == [3]
    assert not index.state(ACME, "handbook", KIND).segments[0].indexed


def test_a_segment_that_lost_its_documents_goes(filled: Store) -> None:
    index = filled.corpus_index
    put(filled, *(doc(f"n{number}", "x") for number in range(SEGMENT - 3)))
    put(filled, doc("a", "new"), doc("b", "new"), doc("c", "new"))
    put(filled, *(doc(f"n{number}", "y") for number in range(SEGMENT - 3)))
    assert [one.number for one in index.state(ACME, "handbook", KIND).segments] == [0, 1]
    assert index.unindexed(ACME, "handbook", 0, KIND, 10) == []
    assert len(index.unindexed(ACME, "handbook", 1, KIND, 10)) == 10
    assert [one.number for one in index.state(ACME, "handbook", KIND).segments] == [1]
    assert len(filled.documents.page(ACME, "handbook", limit=5_000)) == SEGMENT


def test_segments_hold_documents_of_neighbouring_numbers(filled: Store) -> None:
    for first in range(0, SEGMENT, 512):
        put(filled, *(doc(f"n{first + number}", "x") for number in range(512)))
    state = filled.corpus_index.state(ACME, "handbook", KIND)
    assert [(one.number, one.version) for one in state.segments] == [(0, 3), (1, 3)]
    filled.documents.delete(ACME, "handbook", "n0")
    state = filled.corpus_index.state(ACME, "handbook", KIND)
    assert [(one.number, one.version) for one in state.segments] == [(0, 4), (1, 3)]


@pytest.mark.parametrize("whole", [False, True])
def test_what_was_deleted_is_in_no_file(tmp_path: Path, settings: Settings, whole: bool) -> None:
    secret = "一段要抹去的文字 canary"
    store = open_store(settings)
    store.corpora.create(ACME, "handbook")
    put(store, doc("a", secret, '{"note":"canary of metadata"}'), doc("b"))
    store.corpus_index.store(ACME, "handbook", KIND, {0: b"canary of features"})

    def written() -> bool:
        files = list(settings.home.glob("lepton.db*"))
        assert files
        found = b"".join(one.read_bytes() for one in files)
        return any(word in found for word in (secret.encode(), b"canary"))

    assert written()
    if whole:
        store.corpora.delete(ACME, "handbook")
    else:
        store.documents.delete(ACME, "handbook", "a")
    assert not written()
    store.close()
