"""Several texts as one input, each with a language of its own."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.comparing import TextsInput, clean_input, texts_input


def test_every_text_is_cleaned_and_has_its_own_language() -> None:
    made = texts_input(["ｔｅａ", "茶\u200b好喝", "12:30"], None)
    assert [(one.text, one.language) for one in made.all_texts] == [
        ("tea", "en"),
        ("茶好喝", "zh"),
        ("12:30", "und"),
    ]
    assert (made.text, made.language, len(made.others)) == ("tea", "en", 2)


def test_a_language_that_is_given_holds_for_all() -> None:
    assert {one.language for one in texts_input(["tea", "茶"], "zh").all_texts} == {"zh"}
    assert clean_input("tea", "zh").language == "zh"


def test_the_same_texts_are_the_same_input_in_the_same_order_alone() -> None:
    one, same, turned = (texts_input(pair, None) for pair in (["a", "b"], ["a", "b"], ["b", "a"]))
    assert hash(one) == hash(same) and one == same
    assert one != turned
    assert isinstance(one, TextsInput)


def test_there_must_be_a_text() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        texts_input([], None)
