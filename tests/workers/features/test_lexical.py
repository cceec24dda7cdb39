"""Likeness to stored texts: exact cosines, in order, whatever else is stored."""

from __future__ import annotations

import numpy as np
import pytest

from workers.features.lexical import LexicalIndex
from workers.features.ngrams import NgramSpec, bags

SPEC = NgramSpec(1 << 14, (1, 2), (1, 1))
TEXTS = ["今天天气很好", "the weather is fine today", "明天天气怎么样", "", "weather"]


def test_likeness_is_the_cosine_of_weighted_ngrams() -> None:
    found = bags(TEXTS, SPEC)
    table = np.zeros((len(TEXTS), SPEC.buckets))
    owners = np.repeat(np.arange(len(TEXTS)), np.diff(found.offsets))
    np.add.at(table, (owners, found.indices), found.weights)
    seen = (table > 0).sum(0)
    table *= 1 + np.log((1 + len(TEXTS)) / (1 + seen))
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    index = LexicalIndex(TEXTS, SPEC)
    assert len(index) == len(TEXTS)
    for place, text in enumerate(TEXTS):
        assert index.likeness(text) == pytest.approx(table @ table[place], abs=1e-5)


def test_the_nearest_is_found_and_a_strange_text_is_like_none() -> None:
    index = LexicalIndex(TEXTS, SPEC)
    assert int(index.likeness("明天的天气").argmax()) == 2
    assert index.likeness("Ω").max() < 0.2  # only the spaces around it


def test_rarity_may_be_that_of_another_index() -> None:
    known = LexicalIndex(TEXTS, SPEC)
    index = LexicalIndex(["weather today", "图书馆"], SPEC, known.rarity)
    assert index.rarity is known.rarity
    near, far = index.likeness("weather")
    assert near > 0.5 > far
