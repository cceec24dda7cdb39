"""The plain view of a text, and the way back from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.redaction.view import view_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXTS)
def test_every_character_of_the_view_is_one_of_the_text(text: str) -> None:
    view = view_of(text)
    assert len(view.text) == len(view.origins) <= len(text)
    assert list(view.origins) == sorted(set(view.origins))
    for place, character in enumerate(view.text):
        original = text[view.origins[place]]
        assert not original.isascii() or original == character


def test_other_digits_dashes_and_spaces_are_plain() -> None:
    assert view_of("١٢٣　４５‑６７—Ｘ①").text == "123 45-67-X1"


def test_invisible_characters_are_inside_the_span_around_them() -> None:
    text = "号1\u200b3\ufeff8,"
    view = view_of(text)
    start = view.text.index("138")
    assert view.original(start, start + 3) == (1, 6)
