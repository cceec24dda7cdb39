"""Single cleaning steps: what they take away, what they leave, and texts made to stall them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp import cleaning_steps as steps

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
ALL: list[Callable[[str], str]] = [
    steps.strip_html,
    steps.remove_emoji,
    steps.name_emoji,
    steps.remove_invisible,
    steps.narrow_letters,
    steps.narrow_all,
    steps.replace_homoglyphs,
    steps.lower_in_place,
    steps.tidy_spaces,
]
IN_PLACE = [steps.narrow_letters, steps.narrow_all, steps.replace_homoglyphs, steps.lower_in_place]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b and c > d", "a < b and c > d"),
        ("vector<string> x; if (a<b) {}", "vector<string> x; if (a<b) {}"),
        ("<DIV class='x > y'>hi</DIV>", "\n y'>hi\n"),
        ("a<br>b<BR/>c", "a\nb\nc"),
        ("<b>粗</b><i>体</i>&nbsp;&amp;&#20013;&#x6587;", "粗体\xa0&中文"),
        ("AT&T &copy &bogus; &#0;", "AT&T &copy &bogus; \ufffd"),
        ("x<!-- a > b -->y<!doctype html>z", "xyz"),
        ("<style>p{}</style><SCRIPT>1<2</script >ok", "\n\n\n\nok"),
        ("<script>never closed", "\nnever closed"),
        ("<!-- never closed", "<!-- never closed"),
    ],
)
def test_html(text: str, expected: str) -> None:
    assert steps.strip_html(text) == expected


def test_a_number_too_long_for_a_character_stays() -> None:
    assert steps.strip_html("&#" + "9" * 5_000 + ";").startswith("&#999")


def test_emoji_are_whole_and_stars_are_none() -> None:
    assert steps.remove_emoji("★★★☆☆ 很好❤️👩🏽‍🚀🇨🇳7️⃣7") == "★★★☆☆ 很好7"
    assert steps.name_emoji("👩‍🚀") == ":woman_rocket:"


def test_invisible_characters_go_and_joined_emoji_stay() -> None:
    assert steps.remove_invisible("f\u200dr\u200bee\ufeff\u2060 👩‍🚀❤️‍🔥") == "free 👩‍🚀❤️‍🔥"


def test_look_alikes_only_in_words_that_are_half_latin() -> None:
    assert steps.replace_homoglyphs("аpple Москва ΑΒΓ αlpha Жab") == "apple Москва ΑΒΓ αlpha Жab"


@pytest.mark.parametrize("step", IN_PLACE)
@given(text=TEXTS)
def test_steps_that_keep_every_offset(step: Callable[[str], str], text: str) -> None:
    assert len(step(text)) == len(text)


@given(TEXTS)
def test_spaces_are_tidy(text: str) -> None:
    tidy = steps.tidy_spaces(text)
    assert tidy == tidy.strip() == steps.tidy_spaces(tidy)
    assert "  " not in tidy and "\r" not in tidy and " \n" not in tidy


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    ["<", "<b", "<b ", "<b>", "</", "<!--", "<!-- -->", "<script>", "<style>a", "&", "&a", "&#1",
     "👍\u200d", "\u200d", "🇨", "а", "aа", "\t\n "],
)  # fmt: skip
def test_no_text_stalls_a_step(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    for step in ALL:
        step(text)
