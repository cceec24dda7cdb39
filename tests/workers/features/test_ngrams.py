"""Hashed n-grams: batched as alone, normalised, and the right grams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.features.ngrams import NgramSpec, bags, canonical

SPEC = NgramSpec(buckets=1 << 16, characters=(1, 4), words=(1, 2))
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=6
)


def one(text: str, spec: NgramSpec = SPEC) -> dict[int, float]:
    found = bags([text], spec)
    return dict(zip(found.indices.tolist(), found.weights.tolist(), strict=True))


@given(TEXTS)
def test_a_text_has_the_same_bag_in_any_batch(texts: list[str]) -> None:
    found = bags(texts, SPEC)
    assert found.offsets[0] == 0 and found.offsets[-1] == found.indices.size
    for place, text in enumerate(texts):
        start, end = found.offsets[place : place + 2]
        assert dict(
            zip(found.indices[start:end].tolist(), found.weights[start:end], strict=True)
        ) == one(text)


@given(TEXTS)
def test_bags_have_norm_one_and_stay_in_range(texts: list[str]) -> None:
    found = bags(texts, SPEC)
    assert found.indices.size == 0 or (
        found.indices.min() >= 0 and found.indices.max() < SPEC.buckets
    )
    for place, text in enumerate(texts):
        start, end = found.offsets[place : place + 2]
        norm = float(np.linalg.norm(found.weights[start:end]))
        assert norm == pytest.approx(1.0 if canonical(text) else 0.0, abs=1e-5)


def test_repeats_weigh_more_by_their_logarithm() -> None:
    words = NgramSpec(buckets=1 << 16, characters=(0, 0), words=(1, 1))
    weights = sorted(one("tea tea tea milk", words).values())
    assert weights[1] / weights[0] == pytest.approx(1 + np.log(3), rel=1e-5)


def test_words_and_characters_are_distinct_features() -> None:
    by_word = one("tea", NgramSpec(1 << 16, (0, 0), (1, 1)))
    by_character = one("tea", NgramSpec(1 << 16, (3, 3), (0, 0)))
    assert len(by_word) == 1 and len(by_character) == 3
    assert not set(by_word) & set(by_character)


def test_word_pairs_do_not_cross_texts() -> None:
    pairs = NgramSpec(1 << 16, (0, 0), (2, 2))
    assert bags(["tea", "milk"], pairs).indices.size == 0
    assert bags(["tea milk"], pairs).indices.size == 1


def test_case_and_handles_fold_but_order_counts() -> None:
    assert one("@ada Hello") == one("@bob hello")
    assert one("红茶") != one("茶红")


def test_text_without_ngrams_is_an_empty_bag() -> None:
    assert one("") == {} and bags([], SPEC).offsets.tolist() == [0]


def test_bucket_counts_are_powers_of_two() -> None:
    with pytest.raises(ValueError, match="power of two, not 1000"):
        NgramSpec(buckets=1000, characters=(1, 2), words=(0, 0))
