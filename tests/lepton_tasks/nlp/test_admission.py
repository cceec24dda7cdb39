"""Texts that may not become items are refused by name, fast."""

from __future__ import annotations

import time

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item, check_text
from lepton_tasks.nlp.moderation import Moderation
from tests.support.pairs import Pair, Pairs

TASK = Moderation()
PAIRS = Pairs()


@pytest.mark.parametrize("text", ["a", "好", "A fine day.\n", "好" * 20_000, "👍🏽 e\u0301"])
def test_ordinary_text_is_taken(text: str) -> None:
    check_text(text, TASK)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (3, "invalid_type", "a number"),
        (None, "invalid_type", "null"),
        (True, "invalid_type", "a boolean"),
        (["a"], "invalid_type", "an array"),
        ({"text": "a"}, "invalid_type", "an object"),
        (b"bytes", "invalid_type", "bytes"),
        ("", "empty_text", "empty"),
        (" \t\n\u3000", "empty_text", "empty"),
        ("a\0b", "invalid_character", "character 1"),
        ("ab\ud83d", "invalid_unicode", "character 2"),
        ("a" * 20_001, "text_too_long", "20,001 characters"),
        ("😀" * 17_000, "text_too_long", "68,000 bytes"),
        ("e" + "\u0301" * 1_000_000, "text_too_long", "1,000,001 characters"),
    ],
)
def test_refusal_names_the_field_and_the_fault(text: object, code: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        check_text(text, TASK, "inputs[4]")
    assert (caught.value.param, caught.value.code) == ("inputs[4]", code)
    assert "inputs[4]" in str(caught.value)


def test_ten_megabytes_are_refused_without_being_read() -> None:
    text = "好" * 3_500_000
    began = time.process_time()
    with pytest.raises(InvalidInput):
        check_text(text, TASK)
    assert time.process_time() - began < 0.05


def test_an_item_of_several_texts_is_taken_as_it_was_written() -> None:
    written = {"text": "今天", "others": ["a", "b"]}
    admitted = admit_item(written, PAIRS)
    assert admitted == written
    assert PAIRS.read_item(admitted) == Pair(text="今天", others=("a", "b"))
    assert PAIRS.cost(admitted) == 2
    assert admit_item("a bare text", TASK) == "a bare text"


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        ("bare", "inputs[2]", "invalid_type"),
        (["a"], "inputs[2]", "invalid_type"),
        ({"others": ["a"]}, "inputs[2].text", "invalid_item"),
        ({"text": 7}, "inputs[2].text", "invalid_item"),
        ({"text": "a", "other": "b"}, "inputs[2].other", "invalid_item"),
        ({"text": "a", "others": ["b", " "]}, "inputs[2].others[1]", "empty_text"),
        ({"text": "a\0b"}, "inputs[2].text", "invalid_character"),
        ({"text": "a\ud800"}, "inputs[2].text", "invalid_unicode"),
        ({"text": "a" * 20, "others": ["b" * 21]}, "inputs[2]", "text_too_long"),
    ],
)
def test_refusal_names_the_part_of_an_item(value: object, param: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        admit_item(value, PAIRS, "inputs[2]")
    assert (caught.value.param, caught.value.code) == (param, code)
