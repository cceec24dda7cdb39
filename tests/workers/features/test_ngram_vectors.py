"""Signed hashing: norm, order, scripts, and what has no n-grams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.features.ngram_vectors import NgramVectors
from workers.features.ngrams import NgramSpec

SPEC = NgramSpec(1 << 12, (1, 2), (0, 0))


@pytest.fixture(scope="module")
def vectors() -> NgramVectors:
    return NgramVectors(SPEC, 256, np.ones(SPEC.buckets, dtype=np.float32))


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(max_size=40), max_size=6))
def test_batched_equals_single_and_every_norm_is_one(
    vectors: NgramVectors, texts: list[str]
) -> None:
    together = vectors(texts)
    assert together.shape == (len(texts), 256)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(vectors([text])[0], row, atol=1e-6)
        assert abs(np.linalg.norm(row) - 1) < 1e-5


def test_texts_with_more_in_common_are_nearer(vectors: NgramVectors) -> None:
    tea, also_tea, bank = vectors(["我每天早上喝茶", "我早上喝红茶", "银行周日不开门"])
    assert tea @ also_tea > tea @ bank + 0.2


def test_traditional_characters_count_as_simplified(vectors: NgramVectors) -> None:
    traditional, simplified = vectors(["圖書館開門了", "图书馆开门了"])
    np.testing.assert_allclose(traditional, simplified)


def test_many_short_texts_are_computed_in_parts(vectors: NgramVectors) -> None:
    texts = [f"第{number}页" for number in range(600)]
    np.testing.assert_allclose(
        vectors(texts)[[0, 300, 599]], vectors([texts[i] for i in (0, 300, 599)])
    )


def test_no_ngram_no_zero_vector(vectors: NgramVectors) -> None:
    empty, space = vectors(["", " "])
    assert empty[0] == space[0] == 1.0 and not empty[1:].any()


@pytest.mark.parametrize("width", [0, 3, 1 << 12])
def test_a_width_without_room_for_the_sign_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="power of two and at most 2048"):
        NgramVectors(SPEC, width, np.ones(SPEC.buckets, dtype=np.float32))


def test_weights_must_be_as_many_as_buckets() -> None:
    with pytest.raises(ValueError, match="4096 weights"):
        NgramVectors(SPEC, 64, np.ones(7, dtype=np.float32))
