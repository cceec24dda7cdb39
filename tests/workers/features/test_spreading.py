"""Sharing values out: nothing is lost, white space gets nothing, words are all of a text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lepton_tasks.nlp.clean import clean_text
from workers.features.gram_spans import canonical_mapped, gram_spans
from workers.features.ngrams import NgramSpec
from workers.features.spreading import spread, spread_grams, units

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.text("ab @&;'’.İß好，😀 ", min_size=1, max_size=30),
)


@given(TEXTS)
@example("See https://a.example/x?b=c&amp;d @ada_1 don't 好！")
def test_values_of_ngrams_end_in_words(text: str) -> None:
    text = clean_text(text)
    canonical = canonical_mapped(text)
    assume(canonical.text)
    grams = gram_spans(canonical.text, NgramSpec(1 << 10, (1, 3), (1, 2)))
    values = np.sin(np.arange(len(grams.buckets), dtype=np.float64))
    found = spread_grams(values, grams, canonical, text)
    assert found.shape == (len(text),)
    by_word = sum(found[start:end].sum() for start, end in units(text))
    assert by_word == pytest.approx(values.sum(), abs=1e-9)


@given(TEXTS)
def test_words_are_all_of_a_text_but_white_space(text: str) -> None:
    text = clean_text(text)
    spans = units(text)
    assert spans == sorted(spans)
    left, last = "", 0
    for start, end in spans:
        assert last <= start < end
        left += text[last:start]
        last = end
    assert not (left + text[last:]).strip()


def test_a_text_without_ngrams_has_no_values() -> None:
    canonical = canonical_mapped("a")
    grams = gram_spans(canonical.text, NgramSpec(1 << 10, (0, 0), (2, 2)))
    assert spread_grams(np.zeros(0), grams, canonical, "a").tolist() == [0.0]


def test_white_space_gives_to_its_neighbours() -> None:
    values, starts, ends = np.array([1.0, 1.0]), np.array([-1, 1]), np.array([0, 2])
    assert spread(values, starts, ends, "a b").tolist() == [1.5, 0.0, 0.5]
