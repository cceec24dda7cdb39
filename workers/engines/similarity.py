"""How alike two texts are, in meaning or word for word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.similarity import PairInput
from workers.engines.base import Raw
from workers.engines.calibration import Likeness
from workers.engines.spaces import Spaces
from workers.engines.trunk_lane import TrunkLane
from workers.engines.vectors import PlacedItem, VectorEngine
from workers.features.han import simplified_characters
from workers.features.ngram_vectors import Vectors
from workers.features.overlap import Overlap, find_overlap


class PairComparer(VectorEngine):
    """Raw results hold ``score`` (None across spaces) and ``truncated``, or the overlap.

    An overlap is ``share`` and ``matches``, pairs of spans; no vectors are made for it.
    """

    def __init__(
        self, name: str, revision: str, spaces: Spaces, lane: TrunkLane, likeness: Likeness
    ) -> None:
        super().__init__(name, revision, spaces, lane)
        self._likeness = likeness
        self._simplified = simplified_characters()

    def texts(self, model_input: ModelInput) -> Sequence[ModelInput]:
        """Both, unless only their wording is compared."""
        pair = _pair(model_input)
        return () if pair.verbatim else pair.all_texts

    def note(self, model_input: ModelInput) -> Overlap | None:
        """Compare their wording."""
        pair = _pair(model_input)
        if not pair.verbatim:
            return None
        return find_overlap(pair.text, pair.others[0].text, self._simplified)

    def answer(self, item: PlacedItem, vectors: Sequence[Vectors]) -> Raw:
        """Score the pair of vectors, or pass the overlap on."""
        if isinstance(item.note, Overlap):
            return {"share": item.note.share, "matches": item.note.matches}
        text, other = item.texts
        score = None
        if text.space == other.space:
            cosine = np.dot(vectors[0], vectors[1])
            score = float(self._likeness(cosine, self.spaces.is_encoders(text.space)))
        return {"score": score, "truncated": text.truncated or other.truncated}


def _pair(model_input: ModelInput) -> PairInput:
    if not isinstance(model_input, PairInput):
        raise TypeError(f"a pair of texts is needed, not {type(model_input).__name__}")
    return model_input
