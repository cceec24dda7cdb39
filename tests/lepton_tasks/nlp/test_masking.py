"""Masking spans: nothing found stays readable, and a vault brings the text back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.masking import (
    Found,
    disjoint,
    placeholders,
    replacements,
    restore,
    substitute,
)

LENGTH = 40


@st.composite
def found(draw: st.DrawFn) -> Found:
    start = draw(st.integers(0, LENGTH - 1))
    end = draw(st.integers(start + 1, LENGTH))
    return Found(draw(st.sampled_from(["email", "url"])), start, end, 0.9, draw(st.booleans()))


@given(st.lists(found(), max_size=12))
def test_disjoint_spans_cover_exactly_what_was_found(candidates: list[Found]) -> None:
    chosen = disjoint(candidates)
    places = [place for one in chosen for place in range(one.start, one.end)]
    assert places == sorted(set(places))
    assert set(places) == {place for one in candidates for place in range(one.start, one.end)}


@given(st.text(min_size=LENGTH, max_size=LENGTH), st.lists(found(), max_size=12))
def test_a_vault_restores_any_text(text: str, candidates: list[Found]) -> None:
    spans = disjoint(candidates)
    labels = placeholders(text, spans)
    vault = {label: text[one.start : one.end] for one, label in zip(spans, labels, strict=True)}
    assert restore(substitute(text, spans, labels), vault) == text


@given(st.text(min_size=LENGTH, max_size=LENGTH), st.lists(found(), max_size=12))
def test_same_length_keeps_every_other_character_in_its_place(
    text: str, candidates: list[Found]
) -> None:
    spans = disjoint(candidates)
    masked = substitute(text, spans, replacements(text, spans, "same-length"))
    hidden = {place for one in spans for place in range(one.start, one.end)}
    assert len(masked) == len(text)
    for place, character in enumerate(masked):
        assert character == ("*" if place in hidden else text[place])


def test_validated_wins_over_stronger_of_one_length() -> None:
    card = Found("bank_card", 0, 18, 0.95, True)
    shape = Found("phone", 0, 18, 0.99, False)
    assert disjoint([shape, card]) == [card]


def test_a_rest_is_kept_in_pieces_and_loses_its_check() -> None:
    long, across = Found("url", 3, 9, 1, False), Found("phone", 1, 4, 1, True)
    short = Found("email", 8, 10, 1, True)
    assert disjoint([across, short, long]) == [
        Found("phone", 1, 3, 1, False),
        long,
        Found("email", 9, 10, 1, False),
    ]


def test_nothing_found_and_nothing_to_restore() -> None:
    assert disjoint([]) == []
    assert restore("as it was", {}) == "as it was"


def test_an_original_that_looks_like_a_pattern_is_put_back_as_it_is() -> None:
    assert restore("see [URL_1]", {"[URL_1]": r"http://a.b/\1"}) == r"see http://a.b/\1"
    assert restore("[A_1] [A_10]", {"[A_1]": "one", "[A_10]": "[A_1]"}) == "one [A_1]"
