"""Words of a sentence, and the scores of all their spans against a plain sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.features.answers import (
    BUCKETS,
    LENGTHS,
    MOST_WORDS,
    ROLES,
    SHAPES,
    SpanWeights,
    Words,
    length_classes,
    sentence_words,
    span_scores,
    split_words,
)
from workers.features.question_kinds import KINDS


def random_weights(seed: int) -> SpanWeights:
    draw = np.random.default_rng(seed)
    kinds = len(KINDS) + 1
    return SpanWeights(
        draw.normal(size=(kinds, len(ROLES), len(SHAPES))),
        draw.normal(size=(len(ROLES), BUCKETS)),
        draw.normal(size=(kinds, len(LENGTHS))),
    )


def plain_score(found: Words, weights: SpanWeights, first: int, more: int) -> float:
    """The definition: what each word is worth in its role, and what the length is."""

    def worth(role: str, place: int) -> float:
        row = ROLES.index(role)
        of_shapes = weights.shapes[[found.kind, -1], row].sum(axis=0) @ found.shapes[place]
        return float(of_shapes + weights.words[row, found.buckets[place]])

    last = first + more
    inside = sum(worth("inside", place + 1) for place in range(first, last + 1))
    borders = worth("before", first) + worth("start", first + 1)
    borders += worth("end", last + 1) + worth("after", last + 2)
    size = weights.lengths[[found.kind, -1], length_classes()[more]].sum()
    return float(inside + borders + size)


@pytest.mark.parametrize(
    ("sentence", "chinese"),
    [
        ("The bridge was built in 1871 by Ann Lee (of Rome).", False),
        ("桥于1904年由李明建成。", True),
    ],
)
def test_scores_are_the_sums_they_are_said_to_be(sentence: str, chinese: bool) -> None:
    weights = random_weights(3)
    found = sentence_words("Who built the bridge? 桥是谁建的", sentence, chinese, {})
    scores = span_scores(found, weights)
    count = len(found.words)
    assert scores.shape == (count, MOST_WORDS)
    for first in range(count):
        for more in range(MOST_WORDS):
            if first + more < count:
                wanted = plain_score(found, weights, first, more)
                assert scores[first, more] == pytest.approx(wanted)
            else:
                assert scores[first, more] == -np.inf


def shapes_of(question: str, sentence: str, word: str, chinese: bool = False) -> set[str]:
    found = sentence_words(question, sentence, chinese, {})
    place = [one.text for one in found.words].index(word) + 1
    return {name for name, value in zip(SHAPES, found.shapes[place], strict=True) if value}


def test_what_is_known_of_a_word() -> None:
    sentence = "In 1871 the bridges of Rome fell."
    assert {"number", "year"} <= shapes_of("", sentence, "1871")
    assert {"small", "article"} <= shapes_of("", sentence, "the")
    asked = shapes_of("Who built this bridge?", sentence, "bridges")
    assert "asked" in asked and "far from asked" not in asked
    assert "near asked left" in shapes_of("Who built this bridge?", sentence, "Rome")
    assert "far from asked" in shapes_of("Who?", sentence, "Rome")
    assert "asked" in shapes_of("大桥是谁建的", "大桥由李明设计", "桥", chinese=True)
    assert "number" in shapes_of("", "于１９０４年", "１９０４", chinese=True)


@given(st.text(max_size=40))
def test_words_cover_all_but_white_space(text: str) -> None:
    words = split_words(text)
    assert "".join(word.text for word in words) == "".join(text.split())
    assert all(text[word.start : word.end] == word.text for word in words)
