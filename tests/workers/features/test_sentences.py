"""Features of sentences: one row each, finite, and the same whatever the width of letters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.sentences import split_sentences
from workers.features.sentences import NAMES, Floats, sentence_features

ENGLISH = "Lamps are old. We propose a new lamp. Our lamp is fast. Does it burn?"
CHINESE = "灯很旧。本文提出一种新的灯。结果表明,这种灯很快。它会烧吗?"


def features(text: str, language: str = "en") -> Floats:
    return sentence_features(text, split_sentences(text), language)


def column(text: str, name: str, language: str = "en") -> list[float]:
    found: list[float] = features(text, language)[:, NAMES.index(name)].tolist()
    return found


def test_places_and_forms() -> None:
    assert column(ENGLISH, "first") == [1, 0, 0, 0]
    assert column(ENGLISH, "last") == [0, 0, 0, 1]
    assert column(ENGLISH, "question") == [0, 0, 0, 1]
    assert column(CHINESE, "question", "zh") == [0, 0, 0, 1]


def test_turns_of_phrase_in_both_languages() -> None:
    assert column(ENGLISH, "proposes") == [0, 1, 0, 0]
    assert column(ENGLISH, "ours") == [0, 0, 1, 0]
    assert column(CHINESE, "proposes", "zh") == [0, 1, 0, 0]
    assert column(CHINESE, "finds", "zh") == [0, 0, 1, 0]


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (CHINESE, "zh")])
def test_a_sentence_that_shares_nothing_is_unlike_the_rest(text: str, language: str) -> None:
    rest = column(text, "like the rest", language)
    assert 0 <= rest[3] < min(rest[1:3]) <= 1


def test_full_width_letters_are_plain_ones() -> None:
    wide = ENGLISH.replace("lamp", "ｌａｍｐ")
    np.testing.assert_allclose(features(wide), features(ENGLISH))


@given(st.text(max_size=60), st.sampled_from(["en", "zh", "und"]))
def test_any_text_has_one_finite_row_a_sentence(text: str, language: str) -> None:
    found = features(text, language)
    assert found.shape == (len(split_sentences(text)), len(NAMES))
    assert np.isfinite(found).all()
