"""Passages of a tenant's corpus that are near to a text: by the words they share, or copied."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lepton_tasks.errors import NotFound
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup
from lepton_tasks.store.corpus_index import CorpusIndexStore, IndexState, Unindexed
from workers.corpora.cache import SegmentCache, SegmentKey
from workers.corpora.features import (
    KIND,
    NO_FEATURES,
    bands_of,
    features_of,
    passages_of,
    terms_of,
)
from workers.corpora.segment import Segment
from workers.features.han import simplified_characters
from workers.features.overlap import tokens_of
from workers.text_free import describe

logger = logging.getLogger(__name__)

_PAGE: Final = 64
_PAGE_CHARACTERS: Final = 100_000
"""Documents that are indexed at a time, about a tenth of a second's, and their characters."""
_LIKELY_PER_PASSAGE: Final = 3
"""Passages that are compared for the words that they share, for each one of a text."""
_MOST_WORDING: Final = 60_000
"""Characters of all stretches that are compared word for word with one text."""
_MARGIN: Final = 1_000
"""Characters around a passage that looks copied in which there may be more."""
_PENDING_LOOKED_AT: Final = 16


class Hit(NamedTuple):
    """A passage of the document ``number``; the greater the score, the nearer."""

    score: float
    number: int
    start: int
    end: int


class Retriever:
    """Searches corpora. What it keeps in memory of them is bounded, and holds no text.

    A search sees what was committed before it began.
    """

    def __init__(self, store: CorpusIndexStore, memory_bytes: int) -> None:
        """``memory_bytes`` bounds the indexes that are kept in memory."""
        self._store = store
        self._cache = SegmentCache(memory_bytes)
        self._tenants: dict[str, str] = {}

    @property
    def nbytes(self) -> int:
        """Memory of the indexes that are kept."""
        return self._cache.nbytes

    @cached_property
    def _simplified(self) -> Mapping[int, str]:
        return simplified_characters()

    def retrieve(self, tenant: str, corpus: str, text: str, most: int) -> list[FoundPassage]:
        """Return the passages that share most with ``text``, the nearest first.

        Raises:
            NotFound: the tenant has no such corpus.
            StoreUnavailable: the database is away.
        """
        return self.find(tenant, Lookup(corpus, text, most))

    def find(self, tenant: str, wanted: Lookup) -> list[FoundPassage]:
        """Do a lookup; documents that are not indexed yet are indexed first.

        Raises:
            NotFound: the tenant has no such corpus.
            StoreUnavailable: the database is away.
        """
        state = self._store.state(tenant, wanted.corpus, KIND)
        while self._index_first(tenant, state):
            state = self._store.state(tenant, wanted.corpus, KIND)
        self._forget_old(tenant, state)
        if wanted.by == "wording":
            hits = self._copied(tenant, state, wanted)
        else:
            hits = self._nearest(tenant, state, wanted)
        texts = self._store.texts(tenant, state.id, sorted({one.number for one in hits}))
        return [
            FoundPassage(texts[one.number][0], texts[one.number][1][one.start : one.end], one.start)
            for one in hits
            if one.number in texts  # else it was deleted meanwhile
        ]

    def index(self, tenant: str, corpus: str) -> bool:
        """Index some documents of a corpus; False where there was none left.

        Raises:
            NotFound: the tenant has no such corpus.
            StoreUnavailable: the database is away.
        """
        return self._index_first(tenant, self._store.state(tenant, corpus, KIND))

    def index_any(self) -> bool:
        """Index some documents of any corpus that has such; whether there was one.

        Raises:
            StoreUnavailable: the database is away.
        """
        # Not the first: other workers do the same.
        waiting = self._store.pending(_PENDING_LOOKED_AT)
        if not waiting:
            return False
        self._index(*random.choice(waiting))  # noqa: S311 - spreads load, keeps no secret
        return True

    def refresh(self) -> None:
        """Let go of what is kept of documents that were deleted or changed.

        Raises:
            StoreUnavailable: the database is away.
        """
        for corpus_id in self._cache.corpora():
            tenant = self._tenants.get(corpus_id, "")
            try:
                state = self._store.state(tenant, corpus_id, KIND)
            except NotFound:
                self._cache.keep_only(corpus_id, ())
                self._tenants.pop(corpus_id, None)
                continue
            self._forget_old(tenant, state)

    def _index_first(self, tenant: str, state: IndexState) -> bool:
        return any(
            self._index(tenant, state.id, one.number) for one in state.segments if not one.indexed
        )

    def _index(self, tenant: str, corpus_id: str, segment: int) -> bool:
        made: dict[int, bytes] = {}
        room = _PAGE_CHARACTERS
        for one in self._store.unindexed(tenant, corpus_id, segment, KIND, _PAGE):
            if room > 0:
                made[one.number] = self._features(corpus_id, one)
            room -= len(one.text)
        if made:
            self._store.store(tenant, corpus_id, KIND, made)
        return bool(made)

    def _features(self, corpus_id: str, document: Unindexed) -> bytes:
        """Features of a document; one that cannot be read is found by no search, and once."""
        try:
            return features_of(document.text, self._simplified).dump()
        except Exception as error:  # noqa: BLE001 - else it would end one worker after another
            logger.error(
                "document %d of %s cannot be indexed: %s",
                document.number,
                corpus_id,
                describe(error),
            )
            return NO_FEATURES

    def _forget_old(self, tenant: str, state: IndexState) -> None:
        self._tenants[state.id] = tenant
        self._cache.keep_only(state.id, set(_keys(state)))

    def _segments(self, tenant: str, state: IndexState) -> Iterator[Segment]:
        for key in _keys(state):
            yield self._cache.get(
                key,
                lambda key=key: Segment(  # type: ignore[misc]
                    self._store.features(tenant, state.id, key.number, KIND)
                ),
            )

    def _nearest(self, tenant: str, state: IndexState, wanted: Lookup) -> list[Hit]:
        terms = np.array(sorted(self._terms(wanted.text)), dtype=np.uint32)
        found = self._by_terms(tenant, state, [terms], wanted.most, wanted.one_each)
        return found[: wanted.most]

    def _copied(self, tenant: str, state: IndexState, wanted: Lookup) -> list[Hit]:
        """Stretches of documents from the first passage that looks copied to the last.

        A passage does that shares a MinHash band with one of the text, or is among those
        that share most words with it.
        """
        pieces = [wanted.text[start:end] for start, end in passages_of(wanted.text)]
        terms = [np.array(sorted(self._terms(one)), dtype=np.uint32) for one in pieces]
        hits = self._by_bands(tenant, state, pieces, wanted.most)
        most = max(wanted.most, _LIKELY_PER_PASSAGE * len(pieces))
        hits += self._by_terms(tenant, state, terms, most, False)
        return _stretches(hits, wanted.most)

    def _terms(self, text: str) -> Iterable[int]:
        return terms_of(tokens_of(text, self._simplified))

    def _by_terms(
        self,
        tenant: str,
        state: IndexState,
        queries: Sequence[npt.NDArray[np.uint32]],
        most: int,
        one_each: bool,
    ) -> list[Hit]:
        """The best passages for some queries, scores relative to the best of each query."""
        every = np.unique(np.concatenate([np.zeros(0, np.uint32), *queries]))
        frequency = np.zeros(len(every))
        passages = length = 0
        for segment in self._segments(tenant, state):
            frequency += segment.frequencies(every)
            passages += len(segment)
            length += segment.total_length
        rarity = np.log1p((passages - frequency + 0.5) / (frequency + 0.5))
        mean = length / max(1, passages)
        own = [np.searchsorted(every, one) for one in queries]
        share = max(1, -(-most // len(queries)))
        best: list[list[Hit]] = [[] for _ in queries]
        for segment in self._segments(tenant, state):
            for place, query in enumerate(queries):
                scores = segment.scores(query, rarity[own[place]], mean)
                if one_each:
                    scores = segment.best_of_each(scores)
                more = _top(segment, scores, share)
                best[place] = _best([*best[place], *more], share, one_each)
        return _best(
            (one._replace(score=one.score / group[0].score) for group in best for one in group),
            len(queries) * share,
            one_each,
        )

    def _by_bands(
        self, tenant: str, state: IndexState, pieces: Sequence[str], most: int
    ) -> list[Hit]:
        """Passages that share bands with one of ``pieces``; the score is 1 and how many more."""
        bands = [bands_of(one, self._simplified) for one in pieces]
        best: list[Hit] = []
        for segment in self._segments(tenant, state):
            shared = np.zeros(len(segment), dtype=np.int64)
            for one in bands:
                shared = np.maximum(shared, segment.shared_bands(one))
            more = [one._replace(score=1.0 + one.score) for one in _top(segment, shared, most)]
            best = _best([*best, *more], most, one_each=False)
        return best


def _keys(state: IndexState) -> list[SegmentKey]:
    return [SegmentKey(state.id, one.number, one.version) for one in state.segments]


def _top(segment: Segment, scores: npt.NDArray[Any], most: int) -> list[Hit]:
    """The ``most`` passages of a segment with the highest scores above 0."""
    if most < len(scores):
        places = np.argpartition(scores, -most)[-most:]
    else:
        places = np.arange(len(scores))
    return [
        Hit(float(scores[at]), int(segment.numbers[at]), *segment.spans[at].tolist())
        for at in places[scores[places] > 0].tolist()
    ]


def _best(hits: Iterable[Hit], most: int, one_each: bool) -> list[Hit]:
    """The best hits, best first, of equals the one that came first; maybe one a document."""
    ordered = sorted(hits, key=lambda one: (-one.score, one.number, one.start))
    if one_each:
        ordered = list({one.number: one for one in reversed(ordered)}.values())[::-1]
        ordered.sort(key=lambda one: (-one.score, one.number))
    return ordered[:most]


def _stretches(hits: Iterable[Hit], most: int) -> list[Hit]:
    """One stretch a document, around all its hits, the best first, within what is compared."""
    found: dict[int, Hit] = {}
    for one in hits:
        seen = found.get(one.number, one)
        found[one.number] = Hit(
            max(seen.score, one.score),
            one.number,
            min(seen.start, max(0, one.start - _MARGIN)),
            max(seen.end, one.end + _MARGIN),
        )
    room = _MOST_WORDING
    chosen = []
    for hit in _best(found.values(), most, one_each=False):
        stretch = hit._replace(end=min(hit.end, hit.start + room))
        room -= stretch.end - stretch.start
        if stretch.end > stretch.start:
            chosen.append(stretch)
    return chosen
