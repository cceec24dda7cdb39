"""English words: the treebank's cuts, and every character in exactly one word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.tagging.english import split_words

PIECES = ["can't ", "U.S.", "a-b", "e-", "http://x.org/", "a@b.org", "3.5", "10:30", "☺️", "👨‍👩",
          "...", "?!", "'s", "’", "_", "x_y", "北京", "gonna ", "Mr.", "J. ",
          "\u0301", "\u200b"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I can't, won't and cannot go.", "I ca n't , wo n't and can not go ."),
        ("It's Ann's; they’ve left, I'd say", "It 's Ann 's ; they ’ve left , I 'd say"),
        ("gonna go, dont ask", "gon na go , do nt ask"),
        (
            "a well-known e-mail, co-workers' mid-July",
            "a well - known e-mail , co-workers ' mid-July",
        ),
        ("See http://a.org/b?c=d. (www.x.com)", "See http://a.org/b?c=d . ( www.x.com )"),
        ("mail ada.l@x.co.uk!", "mail ada.l@x.co.uk !"),
        ("at 10:30 on 01/24/2001, $1,000.50 or 5%", "at 10:30 on 01/24/2001 , $ 1,000.50 or 5 %"),
        ("the 21st, 1990s, 5pm", "the 21st , 1990s , 5 pm"),
        (
            "01-Feb-02, 9/11, 24/7, file_v2 of comp.os.unix",
            "01-Feb-02 , 9/11 , 24/7 , file_v2 of comp.os.unix",
        ),
        ("dogs, cats etc. are, birds etc.", "dogs , cats etc. are , birds etc ."),
        ("Mr. J. Smith of the U.S. at 3 p.m.", "Mr. J. Smith of the U.S. at 3 p.m."),
        ("So am I. He said", "So am I . He said"),
        ("O'Neill's plan.doc :-) <3", "O'Neill 's plan.doc :-) <3"),
        ("Wait... what?! -- no!!!", "Wait ... what ?! -- no !!!"),
        ("P&L and AT&T", "P&L and AT&T"),
        ("call 713-853-7408 now", "call 713-853-7408 now"),
        ("very 👍🏽👨‍👩‍👧 🇨🇳 ok", "very 👍🏽 👨‍👩‍👧 🇨🇳 ok"),
        ("Привет, мир!", "Привет , мир !"),
    ],
)
def test_cuts(text: str, words: str) -> None:
    assert " ".join(text[start:end] for start, end in split_words(text)) == words


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=15).map("".join))
def test_words_cover_all_but_white_space_in_order(text: str) -> None:
    spans = list(split_words(text))
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    covered = {place for start, end in spans for place in range(start, end)}
    assert covered == {place for place, one in enumerate(text) if not one.isspace()}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", [*PIECES, "a", "a-", "a.", "1.", "1/", "A.", "http://", ":(", "."]
)
def test_no_text_stalls_the_rules(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    assert sum(end - start for start, end in split_words(text)) == sum(
        not one.isspace() for one in text
    )
