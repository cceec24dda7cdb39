"""The tokenizer: learned from a text, good for every text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.support.models import SENTENCES
from workers.training.decoder.tokenizer import (
    END,
    END_ID,
    LEAST_VOCABULARY,
    PAD,
    PAD_ID,
    START,
    START_ID,
    train_tokenizer,
)

TOKENIZER = train_tokenizer(SENTENCES, 300)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(text: str) -> None:
    ids = TOKENIZER.encode(text).ids
    assert ids[0] == START_ID
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("text", ["今天", "今天天氣", "ＦＵＬＬ", "🙂‍↔️", "a 好 b", "\n\t ", "ไทย"])
def test_all_scripts_are_encoded(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids[1:]) == text


def test_digits_are_tokens_of_their_own() -> None:
    year = train_tokenizer(["1984 " * 50], 300).encode("1984", add_special_tokens=False)
    assert year.tokens == ["1", "9", "8", "4"]


def test_special_tokens_have_their_places() -> None:
    assert [TOKENIZER.token_to_id(one) for one in (PAD, START, END)] == [PAD_ID, START_ID, END_ID]


def test_it_is_as_large_as_asked_for_or_as_the_text_allows() -> None:
    assert TOKENIZER.get_vocab_size() == 300
    assert train_tokenizer(["ab"], 1000).get_vocab_size() == LEAST_VOCABULARY


def test_the_same_text_makes_the_same_tokenizer() -> None:
    again: Tokenizer = train_tokenizer(iter(SENTENCES), 300)
    assert again.to_str() == TOKENIZER.to_str()
