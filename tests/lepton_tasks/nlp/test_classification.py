"""The classification task without any model: options, the model they need, encode, decode."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.classification import (
    Classification,
    ClassificationOptions,
    ClassificationOutput,
    LabelledInput,
)
from lepton_tasks.nlp.scores import LabelScores

TASK = Classification()


def read(**options: object) -> ClassificationOptions:
    return ClassificationOptions.model_validate(options)


@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({}, None),
        ({"labels": "intents"}, "intents"),
        ({"labels": "our-set"}, "our-set"),
        ({"labels": ["a", "b"]}, "zero-shot"),
        ({"labels": ["a", "b"], "model": "our-zero-shot"}, "our-zero-shot"),
        ({"model": "intents"}, "intents"),
        ({"model": "topics", "labels": "topics"}, "topics"),
    ],
)
def test_labels_choose_the_model(options: dict[str, object], model: str | None) -> None:
    assert TASK.model_of(read(**options)) == model


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": []}, "0 labels were given; give 2 to 100"),
        ({"labels": ["one"]}, "1 labels were given"),
        ({"labels": [str(number) for number in range(101)]}, "101 labels were given"),
        ({"labels": ["a", " "]}, "label 1 is empty"),
        ({"labels": ["a", "\u200b"]}, "label 1 is empty"),
        ({"labels": ["a", "b", "ａ "]}, "labels 0 and 2 are the same"),
        ({"labels": ["a", "x" * 101]}, "label 1 is longer than 100 characters"),
        ({"labels": ["a", "\ud800"]}, "surrogate|Unicode|string"),
        ({"labels": ["a", "b\0"]}, "label 1 holds a NUL"),
        ({"labels": ["a", 5]}, "valid string"),
        ({"labels": "no such thing!"}, "name of a label set, such as topics, intents"),
        ({"labels": "topics", "model": "intents"}, "two models; leave one out"),
        ({"labels": ["a", "b"], "model": "topics"}, "'topics' has labels of its own"),
        ({"model": "zero-shot"}, "needs `labels`"),
        ({"labels": "zero-shot"}, "needs `labels`"),
        ({"labels": "intents", "language": "zh"}, "'intents' has no language 'zh'; it has en"),
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"top": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        read(**options)


def test_encode_cleans_text_and_labels() -> None:
    found = TASK.encode("這部 電影\u200b很好", read(labels=["電影", " ｍｕｓｉｃ "]))
    assert found == LabelledInput("這部 電影很好", "zh", ("電影", "music"))
    assert hash(found) == hash(TASK.encode("這部 電影很好", read(labels=["電影", "music"])))
    assert found != TASK.encode("這部 電影很好", read(labels=["電影", "books"]))
    assert TASK.encode("goal 🎉", read()) == LabelledInput("goal 🎉", "en")


def test_scores_come_highest_first() -> None:
    raw = LabelScores([("a", 0.1), ("b", 0.7), ("c", 0.2)], truncated=True, foreign=True)
    output = TASK.decode(raw, ModelInput("text", "und"), read())
    assert output.label == "b"
    assert [(one.label, one.score) for one in output.scores] == [("b", 0.7), ("c", 0.2), ("a", 0.1)]
    assert (output.method, output.language_supported, output.truncated) == ("trained", False, True)
    assert len(TASK.decode(raw, ModelInput("text", "und"), read(top=2)).scores) == 2
    assert ClassificationOutput.model_validate_json(output.model_dump_json()) == output


def test_labels_come_back_as_they_were_spelled() -> None:
    options = read(labels=["Ｍｕｓｉｃ", "電影 "])
    output = TASK.decode({"Music": 0.4, "電影": 0.6}, ModelInput("text", "zh"), options)
    assert [one.label for one in output.scores] == ["電影 ", "Ｍｕｓｉｃ"]
    assert output.method == "zero-shot"


def test_a_model_may_not_be_trained_for_its_own_labels() -> None:
    raw = LabelScores([("politics", 0.4), ("sports", 0.6)], untrained=True)
    assert TASK.decode(raw, ModelInput("text", "en"), read()).method == "zero-shot"


def test_a_model_with_other_labels_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not take labels of the request"):
        TASK.decode({"World": 1.0}, ModelInput("text", "en"), read(labels=["a", "b"]))


def test_each_model_warms_up_on_its_own_examples() -> None:
    assert [options.labels for _, options in TASK.examples_for("intents")] == ["intents"]
    assert all(isinstance(one.labels, list) for _, one in TASK.examples_for("zero-shot"))
    assert len(TASK.examples_for("zero-shot")) == 2
    assert [options.labels for _, options in TASK.examples_for("topics")] == [None] * 3


def test_schemas_are_json() -> None:
    for schema in (
        ClassificationOptions.model_json_schema(),
        ClassificationOutput.model_json_schema(),
    ):
        assert json.loads(json.dumps(schema)) == schema
