"""The sentence that is most like a question, wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_tasks.nlp.retrieval import FoundPassage
from workers.engines.document_answer import WORDS, nearest_sentence, plain

RARITY = np.ones(WORDS.buckets, np.float32)


@pytest.mark.parametrize("question", ["The river is long", "ＴＨＥ river -- is LONG?!"])
def test_the_first_of_equal_sentences_is_told_with_its_place(question: str) -> None:
    passages = [
        FoundPassage("a", "书很多。  The river is long. The river is long.", 40),
        FoundPassage("b", "The river is long.", 0),
    ]
    found = nearest_sentence(question, passages, RARITY)
    assert found is not None
    assert (found.place, found.start, found.text) == (0, 6, "The river is long.")
    assert passages[0].text[found.start : found.end] == found.text
    assert found.likeness == pytest.approx(1.0, abs=1e-4)


def test_where_there_is_no_sentence_there_is_no_answer() -> None:
    assert nearest_sentence("几点？", [], RARITY) is None
    assert nearest_sentence("几点？", [FoundPassage("a", " \n ", 0)], RARITY) is None
    unlike = nearest_sentence("😀", [FoundPassage("a", "九点开门。", 0)], RARITY)
    assert unlike is not None and unlike.likeness == 0.0


def test_punctuation_is_left_out() -> None:
    assert plain("你好，World_2！").split() == ["你好", "World", "2"]
