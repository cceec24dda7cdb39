"""The list of English words: neighbours by one slip, identifiers, and broken tensors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.editing.lexicon import FIRST, UNKNOWN, Lexicon
from workers.editing.slips import TWO, slip_of

WORDS = {"the": 900.0, "then": 50.0, "tea": 30.0, "friend": 20.0, "don't": 9.0, "receive": 5.0}
LEXICON = Lexicon.of(WORDS)


def test_words_and_identifiers() -> None:
    assert [LEXICON.word(LEXICON.id_of(word)) for word in WORDS] == list(WORDS)
    assert LEXICON.id_of("teh") == UNKNOWN and LEXICON.id_of("don't") == FIRST
    again = Lexicon.read(LEXICON.tensors("w"), "w")
    assert again.words == LEXICON.words
    assert again.log_counts.tolist() == LEXICON.log_counts.tolist()


@given(st.sampled_from(sorted(WORDS)), st.data())
def test_every_word_is_found_by_each_of_its_slips(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcxyz'"))
    wrongs = {
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    } - {word, ""}
    for wrong in wrongs:
        assert word in LEXICON.near([wrong])[wrong]
        assert slip_of(wrong, word) != TWO


def test_what_is_no_word_of_ascii_has_no_neighbours() -> None:
    found = LEXICON.near(["café", "x" * 40, "teh"])
    assert (found["café"], found["x" * 40], found["teh"]) == ([], [], ["tea", "the"])
    assert LEXICON.near([]) == {}


def test_broken_tensors_are_named() -> None:
    good = LEXICON.tensors("w")
    with pytest.raises(ValueError, match=r"tensor w\.rest is missing"):
        Lexicon.read({"w.shared": good["w.shared"], "w.level": good["w.level"]}, "w")
    with pytest.raises(ValueError, match="other types"):
        Lexicon.read({**good, "w.level": good["w.level"].to(torch.int32)}, "w")
    with pytest.raises(ValueError, match="of 6 words and 5"):
        Lexicon.read({**good, "w.level": good["w.level"][:5]}, "w")
