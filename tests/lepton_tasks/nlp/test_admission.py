"""Texts that may not become items are refused by name, fast."""

from __future__ import annotations

import time

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import check_text
from lepton_tasks.nlp.moderation import Moderation

TASK = Moderation()


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
