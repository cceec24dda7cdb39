"""Which items are nearest to what a user liked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.recommendation import RankingInput
from workers.engines.base import Raw
from workers.engines.calibration import Floats, Likeness
from workers.engines.spaces import PlacedText, Spaces
from workers.engines.trunk_lane import TrunkLane
from workers.engines.vectors import PlacedItem, VectorEngine
from workers.features.ngram_vectors import Vectors

_NEAREST: Final = 3
"""Texts of the history whose likeness to an item is averaged to its score."""


class Ranked(NamedTuple):
    """An item's place, its score, and the nearest text of the history, if one is comparable."""

    place: int
    score: float
    nearest: int | None
    similarity: float


class Recommender(VectorEngine):
    """Raw results hold ``ranking``, a list of :class:`Ranked`, best first, and ``truncated``."""

    def __init__(
        self, name: str, revision: str, spaces: Spaces, lane: TrunkLane, likeness: Likeness
    ) -> None:
        super().__init__(name, revision, spaces, lane)
        self._likeness = likeness

    def texts(self, model_input: ModelInput) -> Sequence[ModelInput]:
        """Those of the history, then those of the items."""
        return _ranking(model_input).all_texts

    def note(self, model_input: ModelInput) -> tuple[int, float]:
        """How many texts are the history's, and how diverse the ranking is to be."""
        ranking = _ranking(model_input)
        return ranking.seen, ranking.diversity

    def answer(self, item: PlacedItem, vectors: Sequence[Vectors]) -> Raw:
        """Score every item by its nearest texts of the history, and put them in order."""
        seen, diversity = item.note
        likeness = self._table(item.texts, vectors)
        known, between = likeness[seen:, :seen], likeness[seen:, seen:]
        nearest = known.argmax(axis=1)
        scores = np.sort(known, axis=1)[:, -_NEAREST:]
        means = scores.sum(axis=1) / np.maximum(1, (scores > 0).sum(axis=1))
        ranking = [
            Ranked(
                place,
                float(means[place]),
                int(nearest[place]) if known[place, nearest[place]] > 0 else None,
                float(known[place, nearest[place]]),
            )
            for place in order(means, between, diversity)
        ]
        return {
            "ranking": ranking,
            "truncated": sum(text.truncated for text in item.texts),
        }

    def _table(self, texts: Sequence[PlacedText], vectors: Sequence[Vectors]) -> Floats:
        """Likeness of every two texts [texts, texts]; 0 between spaces."""
        table = np.zeros((len(texts), len(texts)))
        for space in {text.space for text in texts}:
            places = np.array([at for at, text in enumerate(texts) if text.space == space])
            own = np.stack([vectors[at] for at in places])
            likeness = self._likeness(own @ own.T, self.spaces.is_encoders(space))
            table[np.ix_(places, places)] = likeness
        return table


def order(scores: Floats, between: Floats, diversity: float) -> list[int]:
    """Places of items, best first: by score, less so the more an item is like one before it.

    Maximal marginal relevance (Carbonell and Goldstein 1998): each time the item with the
    most ``(1 - diversity) * score - diversity * likeness to the nearest item chosen``.
    ``between`` [items, items] is the likeness of items. Equals stay in their order.

    >>> alike = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])
    >>> [order(np.array([0.8, 0.7, 0.5]), alike, much) for much in (0.0, 0.5)]
    [[0, 1, 2], [0, 2, 1]]
    """
    nearest = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=bool)
    chosen = []
    for _ in range(len(scores)):
        gains = np.where(left, (1.0 - diversity) * scores - diversity * nearest, -np.inf)
        place = int(gains.argmax())
        chosen.append(place)
        left[place] = False
        nearest = np.maximum(nearest, between[place])
    return chosen


def _ranking(model_input: ModelInput) -> RankingInput:
    if not isinstance(model_input, RankingInput):
        raise TypeError(f"a ranking input is needed, not {type(model_input).__name__}")
    return model_input
