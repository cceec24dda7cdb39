"""Passages before a dialogue: those that have room, in the language that is asked in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.grounding import grounded, with_room
from lepton_tasks.nlp.retrieval import FoundPassage

FOUND = [FoundPassage("手册", "馆九点开门。", 0), FoundPassage("b", "It opens at nine.", 4)]


@given(st.lists(st.text(max_size=9), max_size=8), st.integers(0, 30))
def test_what_is_kept_fits_in_order_and_nothing_left_out_would(
    texts: list[str], characters: int
) -> None:
    found = [FoundPassage(str(place), text, 0) for place, text in enumerate(texts)]
    kept = with_room(found, characters)
    room = characters - sum(len(one.text) for one in kept)
    assert room >= 0
    assert [one for one in found if one in kept] == list(kept)
    assert all(len(one.text) > room for one in found if one not in kept)


def test_a_dialogue_without_passages_stays() -> None:
    messages = (("user", "几点？"),)
    assert grounded(messages, (), "zh") is messages  # type: ignore[arg-type]


def test_passages_are_named_and_asked_for_in_the_language() -> None:
    [(role, system), asked] = grounded((("user", "When?"),), FOUND, "en")
    assert (role, asked) == ("system", ("user", "When?"))
    assert system.startswith("Answer from these passages")
    assert "[手册]\n馆九点开门。\n\n[b]\nIt opens at nine." in system
    assert grounded((("user", "?"),), FOUND, "und")[0][1] == system
    assert grounded((("user", "?"),), FOUND, "zh")[0][1].startswith("请根据")
