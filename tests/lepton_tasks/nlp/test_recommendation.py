"""The recommendation task without any model: what is admitted, and how answers are named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.recommendation import (
    RankingInput,
    Recommendation,
    RecommendationOptions,
    RecommendationOutput,
)
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup

TASK = Recommendation()
ITEM: dict[str, Any] = {
    "history": ["ｔｅａ", "咖啡"],
    "items": ["green tea", {"id": "b", "text": "绿茶"}, "chalk"],
}
RAW = {
    "ranking": [(1, 0.9, 1, 0.95), (0, 0.7, 0, 0.7), (2, 0.0, None, 0.0)],
    "truncated": 1,
}


def encode(**options: Any) -> RankingInput:
    chosen = RecommendationOptions.model_validate(options)
    return TASK.encode(TASK.read_item(admit_item(ITEM, TASK)), chosen)


def decode(**options: Any) -> RecommendationOutput:
    chosen = RecommendationOptions.model_validate(options)
    return TASK.decode(RAW, encode(**options), chosen)


def test_every_text_is_cleaned_in_its_own_language() -> None:
    found = encode(diversity=0.5)
    assert found.all_texts == (
        ModelInput("tea", "en"),
        ModelInput("咖啡", "zh"),
        ModelInput("green tea", "en"),
        ModelInput("绿茶", "zh"),
        ModelInput("chalk", "en"),
    )
    assert (found.seen, found.ids, found.diversity) == (2, (None, "b", None), 0.5)
    assert {one.language for one in encode(language="zh").all_texts} == {"zh"}
    assert hash(found) == hash(encode(diversity=0.5)) != hash(encode())


def test_items_come_with_id_and_reason() -> None:
    first, second, last = decode().items
    assert (first.place, first.id, first.score) == (1, "b", 0.9)
    assert first.reason is not None
    assert (first.reason.history, first.reason.text, first.reason.similarity) == (1, "咖啡", 0.95)
    assert second.id is None and second.reason is not None and second.reason.text == "tea"
    assert last.reason is None and last.score == 0.0


def test_no_more_than_wanted_and_through_json() -> None:
    output = decode(top=2)
    assert [one.place for one in output.items] == [1, 0] and output.truncated is True
    assert RecommendationOutput.model_validate_json(output.model_dump_json()) == output
    assert len(decode(top=200).items) == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"top": 0}, "greater than or equal to 1"),
        ({"top": 201}, "less than or equal to 200"),
        ({"diversity": 1.5}, "less than or equal to 1"),
        ({"language": "fr"}, "should be 'en' or 'zh'"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RecommendationOptions.model_validate(options)


@pytest.mark.parametrize(
    ("changes", "param", "says"),
    [
        ({"history": []}, "input.history", "at least 1"),
        ({"history": ["tea"] * 51}, "input.history", "at most 50"),
        ({"items": ["tea"] * 201}, "input.items", "at most 200"),
        ({"items": []}, "input.items", "at least 1"),
        ({"items": [{"id": "a", "text": "x"}] * 2}, "input.items", r"items\[1\].*earlier item"),
        ({"items": [""]}, "input.items[0]", "empty"),
        ({"items": [{"id": "a", "text": " "}]}, "input.items[0].text", "empty"),
        ({"items": ["x" * 40_000]}, "input", "at most 40,000"),
        ({"items": [3]}, "input.items[0]", "valid string"),
        ({"items": ["tea", {"id": "a"}]}, "input.items[1].text", "Field required"),
        ({"items": [{"id": "a", "text": 3}]}, "input.items[0].text", "valid string"),
        ({"items": [{"text": "a", "id": "a", "tag": 3}]}, "input.items[0].tag", "no such field"),
    ],
)
def test_bad_items_are_refused_by_name(changes: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        admit_item({**ITEM, **changes}, TASK)
    assert refused.value.param == param


def test_documents_of_a_corpus_are_the_items_but_for_those_the_user_had() -> None:
    item = {"history": ["ｔｅａ", "咖啡"]}
    assert admit_item(item, TASK, corpus="c") == item
    with pytest.raises(InvalidInput, match="unless the option `corpus`") as refused:
        admit_item(item, TASK)
    assert refused.value.param == "input.items"
    chosen, options = TASK.read_item(item), RecommendationOptions(corpus="c", top=1)
    assert TASK.lookup(chosen, options) == Lookup("c", "ｔｅａ\n咖啡", 40, one_each=True)
    assert TASK.lookup(chosen, RecommendationOptions()) is None
    found = [FoundPassage(name, text, 0) for name, text in (("a", "咖啡"), ("b", "绿茶"))]
    asked = TASK.encode_found(chosen, found, options)
    assert (asked.seen, asked.ids) == (2, ("b",))
    output = TASK.decode({"ranking": [(0, 0.9, 0, 0.9)], "truncated": 0}, asked, options)
    assert (output.items[0].id, output.items[0].place) == ("b", None)
    assert TASK.encode_found(chosen, [], options).ids == ()
