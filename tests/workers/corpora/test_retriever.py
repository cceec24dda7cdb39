"""Searching corpora: the right passages, the tenant's alone, as they are now."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from lepton_tasks.corpora import CorpusLimits, NewDocument
from lepton_tasks.errors import NotFound
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup
from lepton_tasks.settings import Settings
from lepton_tasks.store.documents import SEGMENT
from lepton_tasks.store.store import Store, open_store
from workers.corpora import retriever as module
from workers.corpora.features import Features, features_of
from workers.corpora.retriever import Retriever
from workers.features.han import simplified_characters
from workers.quality.edits import edited_copy, units

LIMITS = CorpusLimits(100_000, 10_000_000, 100_000)
MEMORY = 64 << 20
SIMPLIFIED = simplified_characters()
DOCUMENTS = {
    "library": "The library on the hill opens at eight and closes on Sundays.",
    "garden": "Tomatoes grow best in a sunny garden with plenty of water.",
    "图书馆": "图书馆早上八点开门，周日休息，藏书六万册。",
    "花园": "番茄喜欢阳光充足的花园，需要多浇水。",
}


def fill(
    store: Store, documents: dict[str, str], tenant: str = "acme", corpus: str = "handbook"
) -> None:
    new = [NewDocument(name, text) for name, text in documents.items()]
    for first in range(0, len(new), 500):
        store.documents.put(tenant, corpus, new[first : first + 500], LIMITS)


def retriever(store: Store, memory: int = MEMORY) -> Retriever:
    return Retriever(store.corpus_index, memory)


def names(found: Sequence[FoundPassage]) -> list[str]:
    return [one.document for one in found]


@pytest.fixture
def filled(store: Store) -> Store:
    store.corpora.create("acme", "handbook")
    fill(store, DOCUMENTS)
    return store


def test_the_passages_that_share_most_words_come_first(filled: Store) -> None:
    search = retriever(filled)
    for text, wanted in (
        ("When does the library open?", "library"),
        ("growing tomato plants in gardens", "garden"),
        ("圖書館幾點開門？", "图书馆"),
        ("种番茄要浇多少水", "花园"),
    ):
        found = search.retrieve("acme", "handbook", text, 3)
        assert found[0].document == wanted
        assert found[0].text == DOCUMENTS[wanted]
    assert search.retrieve("acme", "handbook", "Привет", 3) == []
    assert search.retrieve("acme", "handbook", "?!", 3) == []


def test_a_passage_of_a_long_document_is_found_with_its_place(filled: Store) -> None:
    text = "Nothing of note happened here. " * 90 + "The zeppelin landed at noon. " + "More. " * 300
    fill(filled, {"long": text, "other": "Nothing of note."})
    [first, *_] = retriever(filled).retrieve("acme", "handbook", "zeppelin landing", 3)
    assert (first.document, "zeppelin" in first.text) == ("long", True)
    assert first.start > 0
    assert text[first.start : first.start + len(first.text)] == first.text
    each = retriever(filled).find(
        "acme", Lookup("handbook", "nothing of note happened", 5, one_each=True)
    )
    assert sorted(one for one in names(each) if one != "garden") == ["long", "other"]
    several = retriever(filled).retrieve("acme", "handbook", "nothing of note happened", 5)
    assert names(several).count("long") > 1


def test_another_tenants_documents_are_never_found(filled: Store) -> None:
    filled.corpora.create("other", "handbook")
    fill(filled, {"theirs": "Their library opens at nine."}, "other")
    search = retriever(filled)
    corpus = filled.corpora.get("acme", "handbook")
    for _ in range(2):  # also from what is kept in memory
        for by in ("words", "wording"):
            wanted = Lookup("handbook", "The library opens at nine.", 50, by=by)
            assert "theirs" not in names(search.find("acme", wanted))
            assert names(search.find("other", wanted)) == ["theirs"]
    for tenant, name in (("other", corpus.id), ("third", "handbook"), ("acme", "none")):
        with pytest.raises(NotFound):
            search.retrieve(tenant, name, "library", 3)


def test_changes_are_seen_at_the_next_lookup(filled: Store) -> None:
    search = retriever(filled)

    def found(text: str) -> list[str]:
        return names(search.retrieve("acme", "handbook", text, 3))

    assert found("library") == ["library"]
    fill(filled, {"second": "Another library, by the river.", "garden": "A library of seeds."})
    assert sorted(found("library")) == ["garden", "library", "second"]
    assert found("tomatoes") == []
    filled.documents.delete("acme", "handbook", "library")
    assert sorted(found("library")) == ["garden", "second"]
    kept = search.nbytes
    filled.corpora.delete("acme", "handbook")
    filled.corpora.create("acme", "handbook")
    assert found("library") == []
    search.refresh()
    assert kept > search.nbytes == 0


def test_an_index_outlives_the_process_and_is_not_made_of_text_again(filled: Store) -> None:
    retriever(filled).retrieve("acme", "handbook", "library", 1)
    again = retriever(filled)
    assert not again.index("acme", "handbook")
    assert not again.index_any()
    assert names(again.retrieve("acme", "handbook", "library", 1)) == ["library"]


def test_an_idle_worker_indexes_what_was_added(filled: Store) -> None:
    filled.corpora.create("other", "empty")
    fill(filled, {"x": "y " * 60_000, "z": "y"}, "other", "empty")
    search = retriever(filled)
    rounds = 0
    while search.index_any():
        rounds += 1
    assert rounds > 3
    assert not any(search.index(*one) for one in (("acme", "handbook"), ("other", "empty")))


def test_a_corpus_larger_than_memory_is_searched_all_the_same(filled: Store) -> None:
    fill(filled, {f"n{number}": f"number {number}" for number in range(SEGMENT + 200)})
    large, none = retriever(filled), retriever(filled, memory=1)
    for text in ("library opening", "number 17", "图书馆"):
        wanted = large.retrieve("acme", "handbook", text, 5)
        assert wanted
        assert none.retrieve("acme", "handbook", text, 5) == wanted
    assert none.nbytes == 0 < large.nbytes


def test_edited_copies_are_found_among_many(settings: Settings) -> None:
    store = open_store(settings)
    generator = random.Random(7)
    words = [f"{one}{two}{end}" for one in "bcdfgklm" for two in "aeiou" for end in ("ntor", "l")]
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 900)]
    documents = {}
    for number in range(500):
        documents[f"en{number}"] = " ".join(generator.choices(words, k=40)) + "."
        documents[f"zh{number}"] = "".join(generator.choices(characters, k=40)) + "。"
    store.corpora.create("acme", "handbook")
    fill(store, documents)
    search = retriever(store)
    vocabulary = {
        kind: sorted({unit for number in range(60) for unit in units(documents[f"{kind}{number}"])})
        for kind in ("en", "zh")
    }
    asked = [f"{kind}{number}" for number in range(60) for kind in ("en", "zh")]
    hits = 0
    for name in asked:
        copy = edited_copy(documents[name], 0.2, vocabulary[name[:2]], generator)
        found = search.find("acme", Lookup("handbook", copy, 20, by="wording"))
        hits += name in names(found)
    store.close()
    assert hits >= 0.99 * len(asked)


def test_what_was_put_together_of_several_documents_is_traced_to_each(filled: Store) -> None:
    text = DOCUMENTS["library"] + " " + DOCUMENTS["garden"] + " " + DOCUMENTS["图书馆"]
    found = retriever(filled).find("acme", Lookup("handbook", text, 20, by="wording"))
    assert {"library", "garden", "图书馆"} <= set(names(found))
    assert all(DOCUMENTS[one.document] == one.text and one.start == 0 for one in found)


def test_what_is_compared_word_for_word_is_bounded(filled: Store) -> None:
    text = "A sentence that is said again and again. " * 1_000
    fill(filled, {f"copy{number}": text + str(number) for number in range(4)})
    found = retriever(filled).find("acme", Lookup("handbook", text[:5_000], 20, by="wording"))
    assert 0 < sum(len(one.text) for one in found) <= 60_000


def test_a_document_that_cannot_be_indexed_hinders_no_other(
    filled: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(text: str, simplified: object) -> Features:
        if "Tomatoes" in text:
            raise ValueError(text)
        return features_of(text, SIMPLIFIED)

    monkeypatch.setattr(module, "features_of", broken)
    search = retriever(filled)
    assert names(search.retrieve("acme", "handbook", "library", 3)) == ["library"]
    assert search.retrieve("acme", "handbook", "tomatoes", 3) == []
    assert not search.index("acme", "handbook")
    [line] = [one for one in caplog.messages if "cannot be indexed" in one]
    assert "Tomatoes" not in line and "ValueError" in line
