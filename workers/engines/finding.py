"""From a question, a context's features and a language's weights to the answer: pure numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.question_answering import QuestionInput
from workers.features.answers import SHAPES, SpanWeights, sentence_words, span_scores
from workers.features.question_kinds import KINDS
from workers.features.questions import NAMES

TRUST: Final = (
    "any",
    "terms",
    "pairs",
    "question's share",
    "vector",
    "sentence's share",
    "span's share",
)
"""What the model of the trust in an answer sees of it."""
LAYOUT: Final[Mapping[str, list[str]]] = {
    "sentence_features": list(NAMES),
    "question_kinds": list(KINDS),
    "word_shapes": list(SHAPES),
    "trust_features": list(TRUST),
}
"""What weights are for, as a model's config says it."""
_SENTENCES_READ: Final = 3
"""Likeliest sentences in which an answer is looked for."""
_TINY: Final = 1e-300

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FinderWeights:
    """The models of one language. ``sentence`` [len(NAMES)], ``trust`` [len(TRUST)]."""

    sentence: Floats
    spans: SpanWeights
    trust: Floats
    encoder: bool


def find_answer(
    asked: QuestionInput,
    question: str,
    features: npt.NDArray[np.float32],
    weights: FinderWeights,
    chinese: bool,
    simplified: Mapping[int, str],
) -> tuple[int, int, int, Floats]:
    """Return the answer's sentence, its start and end in it, and what trust sees of it.

    Of the likeliest sentences the best spans are compared, the sentence's share counting
    twice. ``features`` are those of the sentences, ``question`` is cleaned. The last
    returned is [len(TRUST)].
    """
    shares = softmax(features.astype(np.float64) @ weights.sentence)
    best = (-np.inf, 0, 0, 0, 0.0)
    for place in np.argsort(-shares, kind="stable")[:_SENTENCES_READ].tolist():
        first, last = asked.spans[place]
        found = sentence_words(question, asked.text[first:last], chinese, simplified)
        scores = span_scores(found, weights.spans)
        begin, more = divmod(int(scores.argmax()), scores.shape[1])
        span_share = float(softmax(scores.ravel()).max())
        rank = 2 * float(np.log(max(shares[place], _TINY))) + float(np.log(span_share))
        start, end = found.words[begin].start, found.words[begin + more].end
        best = max(best, (rank, place, start, end, span_share), key=lambda one: one[0])
    _, place, start, end, span_share = best
    seen = {
        **dict(zip(NAMES, features[place].tolist(), strict=True)),
        "any": 1.0,
        "sentence's share": float(shares[place]),
        "span's share": span_share,
    }
    return place, start, end, np.array([seen[name] for name in TRUST])


def softmax(logits: Floats) -> Floats:
    """Shares of 1 that grow with ``logits``, at least one of them finite."""
    odds: Floats = np.exp(logits - logits.max())
    shares: Floats = odds / odds.sum()
    return shares
