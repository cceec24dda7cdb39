"""Cleaning keeps what is read and drops what is only encoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.clean import clean_text


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("  one\t two\r\nthree ", "one two three"),
        ("笨\u200b蛋", "笨蛋"),
        ("ｉｄｉｏｔ", "idiot"),
        ("a\u00adb\u202ec", "abc"),
        ("z\u0300\u0301\u0302\u0303\u0304", "z\u0300\u0301"),
        ("a\x07b", "a b"),
    ],
)
def test_cases(given_text: str, cleaned: str) -> None:
    assert clean_text(given_text) == cleaned


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_result_is_one_line_without_invisible_edges(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned == cleaned.strip()
    assert "\n" not in cleaned and "\u200b" not in cleaned
