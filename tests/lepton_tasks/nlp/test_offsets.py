"""Cleaning with offsets: the same text as without, every character traced."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.offsets import Mapped, clean_mapped

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text("aｅ́̂\u200b\t \x01㎏½각각ｶﾞ你，🏽👍ﬁ", max_size=20),
)


@given(TEXTS)
@example("")
@example("\u200b")
@example("e\u0301\u0302\u0303\u0304x")
@example("\u1100\u1161\u11a8\uac00\u11a8")
@example("a\u0323\u0307")
@example("\u09c7\u09be \ufdfa")
def test_the_same_text_with_places_in_order(text: str) -> None:
    found = clean_mapped(text)
    assert found.text == clean_text(text)
    assert len(found.starts) == len(found.ends) == len(found.text)
    assert list(found.starts) == sorted(found.starts)
    assert list(found.ends) == sorted(found.ends)
    for start, end in zip(found.starts, found.ends, strict=True):
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("ｆｒｅｅ　ｇｉｆｔ", "gift"),
        ("这个\u200b產品\ufeff很好", "產品"),
        ("  two\n\n lines", "lines"),
        ("caf\u0065\u0301 fine", "café"),
        ("👍🏽 好", "好"),
        ("5㎏ rice", "rice"),
    ],
)
def test_a_word_leads_back_to_what_was_written(text: str, word: str) -> None:
    found = clean_mapped(text)
    place = found.text.index(word)
    start, end = found.span(place, place + len(word))
    assert clean_text(text[start:end]) == word
    assert not text[start].isspace() and not text[end - 1].isspace()


def test_cut_and_whole() -> None:
    assert Mapped.of("abc").cut(1, 2) == Mapped("b", (1,), (2,))
