"""The similarity task without any model: pairs, modes, what cannot be compared."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup
from lepton_tasks.nlp.similarity import Pair, PairInput, Similarity, SimilarityOptions

TASK = Similarity()
MEANING, OVERLAP = SimilarityOptions(), SimilarityOptions(mode="overlap")


def test_meaning_takes_clean_texts_and_overlap_the_originals() -> None:
    pair = Pair(text="Ｔｅａ\u200b time", other="茶  时间")
    assert TASK.encode(pair, MEANING) == PairInput("Tea time", "en", (ModelInput("茶 时间", "zh"),))
    verbatim = PairInput(pair.text, "en", (ModelInput("茶  时间", "zh"),), verbatim=True)
    assert TASK.encode(pair, OVERLAP) == verbatim
    assert TASK.encode(pair, SimilarityOptions(language="zh")).language == "zh"


def test_a_text_without_letters_is_in_the_language_of_the_other() -> None:
    for text, other in (("12:30", "half past twelve"), ("half past twelve", "12:30")):
        found = TASK.encode(Pair(text=text, other=other), MEANING)
        assert [one.language for one in found.all_texts] == ["en", "en"]
        assert [one.text for one in found.all_texts] == [text, other]
    russian = TASK.encode(Pair(text="Чай", other="tea"), MEANING)
    assert [one.language for one in russian.all_texts] == ["und", "en"]


def test_a_score_or_the_reason_why_there_is_none() -> None:
    alike = TASK.encode(Pair(text="tea", other="a cup of tea"), MEANING)
    found = TASK.decode({"score": 0.8, "truncated": True}, alike, MEANING)
    assert (found.score, found.problem, found.truncated) == (0.8, None, True)
    assert found.copied is None and found.copied_share is None
    mixed = TASK.encode(Pair(text="茶", other="a cup of tea"), MEANING)
    found = TASK.decode({"score": None, "truncated": False}, mixed, MEANING)
    assert found.score is None and (found.language, found.other_language) == ("zh", "en")
    assert found.problem is not None and "different languages (zh, en)" in found.problem


def test_copied_passages_survive_json() -> None:
    pair = TASK.encode(Pair(text="some tea", other="tea"), OVERLAP)
    raw = {"share": 0.4, "matches": (((5, 8), (0, 3)),)}
    found = TASK.decode(raw, pair, OVERLAP)
    again = type(found).model_validate_json(found.model_dump_json())
    assert again == found and again.copied is not None
    assert again.model_dump()["copied"] == [
        {"text": {"start": 5, "end": 8}, "other": {"start": 0, "end": 3}}
    ]
    assert again.copied_share == 0.4 and again.score is None


@pytest.mark.parametrize(
    ("options", "says"),
    [({"mode": "words"}, "'meaning' or 'overlap'"), ({"language": "de"}, "should be 'en' or 'zh'")],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SimilarityOptions.model_validate(options)


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("two texts?", "input"),
        ({"text": "tea"}, "input.other"),
        ({"text": "tea", "other": ""}, "input.other"),
        ({"text": "tea", "other": "茶", "third": "x"}, "input.third"),
        ({"text": "tea", "other": "x" * 40_000}, "input"),
    ],
)
def test_bad_pairs_are_refused_by_name(value: object, param: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        admit_item(value, TASK)
    assert refused.value.param == param


def test_a_corpus_takes_the_place_of_the_other_text() -> None:
    item = {"text": "tea"}
    assert admit_item(item, TASK, corpus="handbook") == item
    with pytest.raises(InvalidInput, match="leave it out") as refused:
        admit_item({"text": "tea", "other": "茶"}, TASK, "inputs[2]", corpus="handbook")
    assert refused.value.param == "inputs[2].other"
    assert TASK.lookup(Pair(text="tea"), MEANING) is None
    found = TASK.lookup(Pair(text="tea"), SimilarityOptions(corpus="c", top=40))
    assert found == Lookup("c", "tea", 80, one_each=True)
    found = TASK.lookup(Pair(text="tea"), SimilarityOptions(corpus="c", mode="overlap"))
    assert found == Lookup("c", "tea", 20, by="wording")


def test_the_nearest_documents_come_first_and_those_in_other_languages_not_at_all() -> None:
    options = SimilarityOptions(corpus="c", top=2)
    passages = [FoundPassage(name, "a cup of tea", 7) for name in "abc"]
    passages.append(FoundPassage("茶", "茶", 0))
    asked = TASK.encode_found(Pair(text="Ｔｅａ"), passages, options)
    assert [one.text for one in asked.all_texts] == ["Tea", *["a cup of tea"] * 3, "茶"]
    raw = {"scores": [0.2, 0.9, 0.5, None], "truncated": False}
    found = TASK.decode(raw, asked, options)
    assert found.documents is not None and found.score is None
    assert [(one.document, one.score) for one in found.documents] == [("b", 0.9), ("c", 0.5)]
    assert (found.documents[0].start, found.documents[0].end) == (7, 19)
    assert TASK.encode_found(Pair(text="tea"), [], options).all_texts == (ModelInput("tea", "en"),)


def test_copied_passages_are_told_by_their_place_in_the_document() -> None:
    options = SimilarityOptions(corpus="c", mode="overlap")
    passages = [FoundPassage("a", "ｔｅａ time", 100), FoundPassage("b", "nothing", 0)]
    asked = TASK.encode_found(Pair(text="Ｔｅａ time"), passages, options)
    assert (asked.text, asked.others[0].text) == ("Ｔｅａ time", "ｔｅａ time")
    raw = {
        "share": 0.7,
        "overlaps": [
            {"share": 0.7, "matches": (((0, 3), (0, 3)),)},
            {"share": 0.0, "matches": ()},
        ],
    }
    found = TASK.decode(raw, asked, options)
    assert found.copied_share == 0.7 and found.documents is not None
    [one] = found.documents
    assert one.model_dump(exclude_none=True) == {
        "document": "a",
        "copied_share": 0.7,
        "copied": [{"text": {"start": 0, "end": 3}, "other": {"start": 100, "end": 103}}],
    }
