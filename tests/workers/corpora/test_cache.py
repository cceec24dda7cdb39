"""Segments in memory: within the bound, the latest version alone."""

from __future__ import annotations

from workers.corpora.cache import SegmentCache, SegmentKey
from workers.corpora.features import features_of
from workers.corpora.segment import Segment


def segment(words: int = 50) -> Segment:
    text = " ".join(f"word{number}" for number in range(words))
    return Segment([(0, features_of(text, {}).dump())])


SIZE = segment().nbytes


def test_what_was_used_longest_ago_leaves() -> None:
    cache = SegmentCache(2 * SIZE)
    loaded = []

    def load(name: str) -> Segment:
        loaded.append(name)
        return segment()

    keys = [SegmentKey(name, 0, 1) for name in "abc"]
    for key in (keys[0], keys[1], keys[0], keys[2], keys[0], keys[1]):
        cache.get(key, lambda key=key: load(key.corpus_id))  # type: ignore[misc]
    assert loaded == ["a", "b", "c", "b"]
    assert cache.nbytes == 2 * SIZE
    assert cache.corpora() == {"a", "b"}


def test_one_that_does_not_fit_is_handed_out_and_not_kept() -> None:
    cache = SegmentCache(SIZE)
    large = segment(500)
    assert cache.get(SegmentKey("a", 0, 1), lambda: large) is large
    assert (cache.nbytes, cache.corpora()) == (0, set())


def test_a_new_version_takes_the_place_of_the_old() -> None:
    cache = SegmentCache(10 * SIZE)
    first = cache.get(SegmentKey("a", 0, 1), segment)
    second = cache.get(SegmentKey("a", 0, 2), segment)
    assert first is not second
    cache.get(SegmentKey("a", 1, 1), segment)
    assert cache.nbytes == 2 * SIZE
    cache.keep_only("a", {SegmentKey("a", 0, 2)})
    assert cache.nbytes == SIZE
    cache.keep_only("b", ())
    assert cache.nbytes == SIZE
    cache.keep_only("a", ())
    assert cache.nbytes == 0
