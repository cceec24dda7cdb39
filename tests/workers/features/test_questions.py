"""Which sentences of a context have the words of a question, and what it asks for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.features.han import simplified_characters
from workers.features.questions import (
    NAMES,
    Floats,
    add_cosines,
    prepared,
    question_features,
)


def column(found: Floats, name: str) -> list[float]:
    values: list[float] = found[:, NAMES.index(name)].tolist()
    return values


def test_the_sentence_with_the_words_stands_out_in_both_languages() -> None:
    english = question_features(
        "When was the bridge built?", ["It rained.", "The bridge was built in 1871."], False
    )
    chinese = question_features("图书馆哪一年开放？", ["下雨了。", "图书馆于1904年开放。"], True)
    for found in (english, chinese):
        for name in ("terms", "pairs", "when and a time", "a number"):
            first, second = column(found, name)
            assert second > first


def test_traditional_and_full_width_are_as_simplified_and_plain() -> None:
    table = simplified_characters()
    found, other = (
        question_features(
            prepared(question, table), [prepared(one, table) for one in sentences], True
        )
        for question, sentences in [
            ("圖書館哪一年開放？", ["圖書館於１９０４年開放。", "下雨。"]),
            ("图书馆哪一年开放？", ["图书馆于1904年开放。", "下雨。"]),
        ]
    )
    np.testing.assert_array_equal(found, other)


def test_cosines_fill_their_columns_alone() -> None:
    before = question_features("Who?", ["Ann.", "Bob left.", "No."], False)
    after = add_cosines(before, np.array([0.5, 0.75, 0.25], dtype=np.float32))
    assert column(after, "vector") == [0.5, 0.75, 0.25]
    assert column(after, "vector less best") == [-0.25, 0.0, -0.5]
    assert column(after, "vector before") == [0.0, 0.5, 0.75]
    same = [name for name in NAMES if not name.startswith("vector")]
    assert all(column(before, name) == column(after, name) for name in same)
    assert column(before, "vector") == [0.0, 0.0, 0.0]


@given(st.text(max_size=20), st.lists(st.text(max_size=20), min_size=1, max_size=5), st.booleans())
def test_any_texts_have_one_finite_row_a_sentence(
    question: str, sentences: list[str], chinese: bool
) -> None:
    found = question_features(question, sentences, chinese)
    assert found.shape == (len(sentences), len(NAMES))
    assert np.isfinite(found).all()
    assert (found[:, NAMES.index("terms")] <= 1 + 1e-6).all()
