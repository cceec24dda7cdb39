"""Language by script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I like tea", "en"),
        ("我喜歡喝茶", "zh"),
        ("Das ist schön", "en"),
        ("我的手机是 iPhone 15 Pro", "zh"),
        ("The character 好 means good", "en"),
        ("мы пьём чай", "und"),
        ("お茶が好きです", "und"),
        ("차를 좋아해요", "und"),
        ("نحب الشاي", "und"),
        ("😀 123", "und"),
        ("", "und"),
    ],
)
def test_scripts(text: str, language: str) -> None:
    assert detect_language(text) == language


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert detect_language(text) in {"en", "zh", "und"}
