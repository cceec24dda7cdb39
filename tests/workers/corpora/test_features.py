"""Features of documents: the same everywhere, and nothing of the text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.corpora.features import Features, features_of, passages_of, terms_of
from workers.features.han import simplified_characters
from workers.features.minhash import BANDS
from workers.features.overlap import tokens_of

SIMPLIFIED = simplified_characters()


def terms(text: str) -> set[int]:
    return set(terms_of(tokens_of(text, SIMPLIFIED)))


def test_features_survive_storing() -> None:
    text = "图书馆八点开门。The library opens at eight. " * 60
    made = features_of(text, SIMPLIFIED)
    read = Features.load(made.dump())
    for name in ("spans", "lengths", "sizes", "bands", "terms", "counts"):
        assert np.array_equal(getattr(read, name), getattr(made, name)), name
    passages = len(passages_of(text))
    assert passages > 1
    assert (made.spans.shape, made.bands.shape) == ((passages, 2), (passages, BANDS))
    assert made.sizes.sum() == len(made.terms) == len(made.counts)
    assert b"library" not in made.dump() and "图书馆".encode() not in made.dump()


def test_a_term_that_is_often_there_is_counted_as_far_as_a_byte_goes() -> None:
    made = features_of("tea " * 2_000, SIMPLIFIED)
    assert made.counts.max() <= 255
    assert made.lengths.sum() == 2_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("圖書館開門了", "图书馆开门了"),
        ("ＴＥＡ Time", "tea time"),
        ("connecting people", "Connected peoples"),
        ("茶", "茶。"),
        ("去café喝茶", "去 CAFÉ 喝茶"),
    ],
)
def test_what_says_the_same_has_the_same_terms(one: str, other: str) -> None:
    assert terms(one) == terms(other)


def test_characters_count_in_pairs_and_alone_where_they_have_none() -> None:
    assert len(terms("图书馆")) == 2
    assert not terms("图书") & terms("书图")
    assert terms("A 茶 b") >= terms("茶")
    assert terms("喝茶了") & terms("茶了吗")


@given(st.text(min_size=1, max_size=400))
def test_passages_are_in_order_and_hold_all_that_can_be_read(text: str) -> None:
    spans = passages_of(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert spans[-1][1] <= len(text)
    left = "".join(text[start:end] for start, end in spans)
    assert "".join(left.split()) == "".join(text.split()) or not text.strip()
    features_of(text, SIMPLIFIED)
