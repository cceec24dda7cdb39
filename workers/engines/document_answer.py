"""The sentence of some passages that is most like a question, if one is like it at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from lepton_tasks.nlp.retrieval import FoundPassage
from lepton_tasks.nlp.sentences import split_sentences
from workers.features.dialogues import folded
from workers.features.lexical import Floats, LexicalIndex
from workers.features.ngrams import NgramSpec

WORDS: Final = NgramSpec(1 << 16, (1, 3), (1, 2))
LEAST_LIKENESS: Final[Mapping[str, float]] = {"en": 0.35, "zh": 0.2}
"""Cosine under which no sentence is taken to be about the question; English shares more n-grams.

Of questions of XQuAD and CMRC asked of other paragraphs alone, 41% and 13% are above it; of
those asked of all paragraphs 90% and 92%.
"""
NOTHING_FOUND: Final[Mapping[str, str]] = {
    "en": "I am sorry, I found nothing about that in the documents.",
    "zh": "抱歉，我在文档里没有找到相关的内容。",
}
_MARKS: Final = re.compile(r"[^\w\s]|_")


class Sentence(NamedTuple):
    """Characters ``start`` to ``end`` of the passage at ``place``; ``likeness`` is 0 to 1."""

    place: int
    start: int
    end: int
    text: str
    likeness: float


def nearest_sentence(
    question: str, passages: Sequence[FoundPassage], rarity: Floats
) -> Sentence | None:
    """The sentence that shares most n-grams with ``question``, of equals the first.

    ``rarity`` [buckets] weighs n-grams; None is returned where no passage has a sentence.
    """
    spans = [
        (place, start, end)
        for place, one in enumerate(passages)
        for start, end in split_sentences(one.text)
    ]
    texts = [passages[place].text[start:end] for place, start, end in spans]
    if not texts:
        return None
    likeness = LexicalIndex([plain(one) for one in texts], WORDS, rarity).likeness(plain(question))
    best = int(likeness.argmax())
    return Sentence(*spans[best], texts[best], min(1.0, float(likeness[best])))


def plain(text: str) -> str:
    """Folded, punctuation left out."""
    return _MARKS.sub(" ", folded(text))
