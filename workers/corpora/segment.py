"""A segment of a corpus in memory: an inverted index of its passages, and their bands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workers.corpora.features import Features
from workers.features.minhash import BANDS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_K1: Final = 1.2
_B: Final = 0.75


class Segment:
    """Passages of some documents. ``numbers`` [passages] are the documents', ``spans`` theirs."""

    __slots__ = (
        "_bands",
        "_counts",
        "_lengths",
        "_offsets",
        "_places",
        "_terms",
        "numbers",
        "spans",
        "total_length",
    )

    def __init__(self, documents: Iterable[tuple[int, bytes]]) -> None:
        """Put together the stored features of ``documents``, by number."""
        numbers, found = [], []
        for number, data in documents:
            numbers.append(number)
            found.append(Features.load(data))
        passages = [len(one.spans) for one in found]
        self.numbers: Ints = np.repeat(np.array(numbers, dtype=np.int64), passages)
        self.spans = _joined([one.spans for one in found], (0, 2))
        self._bands = _joined([one.bands for one in found], (0, BANDS))
        self._lengths = _joined([one.lengths for one in found], (0,))
        self.total_length = int(self._lengths.sum())
        """Terms of all passages."""
        sizes = _joined([one.sizes for one in found], (0,))
        small = np.uint16 if len(self.numbers) <= np.iinfo(np.uint16).max else np.uint32
        places = np.repeat(np.arange(len(sizes), dtype=small), sizes)
        terms = _joined([one.terms for one in found], (0,))
        counts = np.concatenate([np.zeros(0, np.uint8), *(one.counts for one in found)])
        order = np.argsort(terms, kind="stable")
        self._terms, first = np.unique(terms[order], return_index=True)
        self._offsets = np.append(first, len(order)).astype(np.uint32)
        self._places, self._counts = places[order], counts[order]

    def __len__(self) -> int:
        """Passages."""
        return len(self.numbers)

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        return sum(getattr(self, name).nbytes for name in self.__slots__ if name != "total_length")

    def frequencies(self, terms: npt.NDArray[np.uint32]) -> Ints:
        """In how many passages each of ``terms`` stands."""
        at, known = self._look_up(terms)
        found = np.zeros(len(terms), dtype=np.int64)
        at = at[known]
        found[known] = self._offsets[at + 1].astype(np.int64) - self._offsets[at]
        return found

    def scores(self, terms: npt.NDArray[np.uint32], weights: Floats, mean_length: float) -> Floats:
        """BM25 (Robertson and Zaragoza 2009) of each passage; ``weights`` are the terms'."""
        at, known = self._look_up(terms)
        at, weights = at[known], weights[known]
        starts, ends = self._offsets[at].astype(np.int64), self._offsets[at + 1].astype(np.int64)
        sizes = ends - starts
        if not sizes.sum():
            return np.zeros(len(self))
        shift = np.repeat(starts - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        rows = np.arange(sizes.sum()) + shift
        places, counts = self._places[rows], self._counts[rows].astype(np.float64)
        norm = _K1 * (1.0 - _B + _B * self._lengths[places] / max(mean_length, 1.0))
        gains = np.repeat(weights, sizes) * counts * (_K1 + 1.0) / (counts + norm)
        found: Any = np.bincount(places, weights=gains, minlength=len(self))
        return np.asarray(found, dtype=np.float64)

    def best_of_each(self, scores: Floats) -> Floats:
        """Leave each document the score of its best passage alone, the first of equals."""
        first = np.flatnonzero(np.diff(self.numbers, prepend=-1))
        if len(first) == len(self):
            return scores
        best = np.repeat(np.maximum.reduceat(scores, first), np.diff([*first, len(self)]))
        return np.where(scores == best, scores, 0.0)

    def shared_bands(self, bands: npt.NDArray[np.uint32]) -> Ints:
        """How many of the ``bands`` [BANDS] of a text each passage has."""
        found: Ints = np.count_nonzero(self._bands == bands, axis=1)
        return found

    def _look_up(self, terms: npt.NDArray[np.uint32]) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Where ``terms`` stand among those of the segment, and which of them do."""
        if not len(self._terms):
            return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.bool_)
        at = np.searchsorted(self._terms, terms)
        at = np.minimum(at, len(self._terms) - 1)
        return at, self._terms[at] == terms


def _joined(parts: list[npt.NDArray[np.uint32]], empty: tuple[int, ...]) -> npt.NDArray[np.uint32]:
    return np.concatenate([np.zeros(empty, np.uint32), *parts])
