"""How alike two texts are, in meaning or word for word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.similarity import AmongInput, PairInput
from workers.engines.base import Raw
from workers.engines.calibration import Likeness
from workers.engines.spaces import Spaces
from workers.engines.trunk_lane import TrunkLane
from workers.engines.vectors import PlacedItem, VectorEngine
from workers.features.han import simplified_characters
from workers.features.ngram_vectors import Vectors
from workers.features.overlap import Overlap, Overlaps, find_overlap, find_overlaps


class PairComparer(VectorEngine):
    """Raw results hold ``score`` (None across spaces) and ``truncated``, or the overlap.

    An overlap is ``share`` and ``matches``, pairs of spans; no vectors are made for it. Of
    a text among others they hold ``scores`` and ``truncated``, or ``share`` and ``overlaps``.
    """

    def __init__(
        self, name: str, revision: str, spaces: Spaces, lane: TrunkLane, likeness: Likeness
    ) -> None:
        super().__init__(name, revision, spaces, lane)
        self._likeness = likeness
        self._simplified = simplified_characters()

    def texts(self, model_input: ModelInput) -> Sequence[ModelInput]:
        """All, unless only their wording is compared."""
        pair = _pair(model_input)
        return () if pair.verbatim else pair.all_texts

    def note(self, model_input: ModelInput) -> Overlap | Overlaps | bool:
        """Compare their wording; else whether there may be more than two."""
        pair = _pair(model_input)
        if isinstance(pair, AmongInput):
            others = [one.text for one in pair.others]
            return find_overlaps(pair.text, others, self._simplified) if pair.verbatim else True
        if not pair.verbatim:
            return False
        return find_overlap(pair.text, pair.others[0].text, self._simplified)

    def answer(self, item: PlacedItem, vectors: Sequence[Vectors]) -> Raw:
        """Score the pair of vectors, or pass the overlap on."""
        if isinstance(item.note, Overlap):
            return {"share": item.note.share, "matches": item.note.matches}
        if isinstance(item.note, Overlaps):
            each = [{"share": one.share, "matches": one.matches} for one in item.note.each]
            return {"share": item.note.share, "overlaps": each}
        scores = [self._score(item, vectors, place) for place in range(1, len(item.texts))]
        truncated = any(text.truncated for text in item.texts)
        if item.note:
            return {"scores": scores, "truncated": truncated}
        return {"score": scores[0], "truncated": truncated}

    def _score(self, item: PlacedItem, vectors: Sequence[Vectors], place: int) -> float | None:
        """Likeness of the first text to another; None across spaces."""
        text, other = item.texts[0], item.texts[place]
        if text.space != other.space:
            return None
        cosine = np.dot(vectors[0], vectors[place])
        return float(self._likeness(cosine, self.spaces.is_encoders(text.space)))


def _pair(model_input: ModelInput) -> PairInput | AmongInput:
    if not isinstance(model_input, PairInput | AmongInput):
        raise TypeError(f"a pair of texts is needed, not {type(model_input).__name__}")
    return model_input
