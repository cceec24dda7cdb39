"""The explanation task without a model: options, spans of the original, what adds up."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.explanation import Explanation, ExplanationOptions
from lepton_tasks.nlp.moderation import Moderation

TASK = Explanation()


def raw(values: list[tuple[int, int, float]], **fields: Any) -> dict[str, Any]:
    return {
        "classifier": "moderation",
        "classifier_revision": "abc",
        "label": "toxicity",
        "label_supported": True,
        "score": 0.9,
        "language_supported": True,
        "truncated": False,
        "method": "exact",
        "logit": 2.0,
        "base_value": -1.0,
        "values": values,
        **fields,
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "embedding"}, "'embedding' cannot be explained; use one of moderation"),
        ({"label": "rudeness"}, "moderation has no label 'rudeness'; it has harassment"),
        ({"language": "de"}, "should be 'en' or 'zh'"),
        ({"method": "guess"}, "exact"),
        ({"top": 0}, "greater than or equal to 1"),
        ({"label": ""}, "at least 1 character"),
    ],
)
def test_options_that_cannot_be_served_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ExplanationOptions.model_validate(options)


def test_another_model_brings_a_task_and_labels_of_its_own() -> None:
    own = ExplanationOptions(task="tickets", label="late", model="tickets-explained")
    assert TASK.model_of(own) == "tickets-explained"
    assert TASK.model_of(ExplanationOptions()) is None


@pytest.mark.parametrize(("text", "language"), [("You fool!", "en"), ("這種人就是垃圾", "zh")])
def test_a_text_is_read_as_the_classifier_reads_it(text: str, language: str) -> None:
    found = TASK.encode(text, ExplanationOptions())
    plain = Moderation().encode(text, Moderation.options_model())
    assert (found.text, found.language) == (plain.text, plain.language)
    assert found.language == language and found.original == text


def test_spans_are_those_of_the_text_as_it_was_written() -> None:
    text = "  Ｙｏｕ\u200b  fool 👍🏽 笨蛋"
    options = ExplanationOptions()
    one = TASK.encode(text, options)
    assert one.text == "You fool 👍🏽 笨蛋"
    found = TASK.decode(
        raw([(0, 3, 0.5), (4, 8, 2.0), (9, 10, -0.1), (10, 11, 0.0), (12, 13, 0.2)]), one, options
    )
    written = [(span.text, span.value) for span in found.contributions]
    assert written == [("fool", 2.0), ("Ｙｏｕ", 0.5), ("笨", 0.2), ("👍", -0.1), ("🏽", 0.0)]
    for span in found.contributions:
        assert text[span.start : span.end] == span.text


def test_words_that_one_character_was_cleaned_into_are_one_span() -> None:
    options = ExplanationOptions()
    one = TASK.encode("½ 好", options)
    assert one.text == "1⁄2 好"
    found = TASK.decode(raw([(0, 1, 1.0), (1, 2, 0.5), (2, 3, 0.25), (4, 5, 1.0)]), one, options)
    assert [(span.text, span.value) for span in found.contributions] == [("½", 1.75), ("好", 1.0)]


def test_what_is_left_out_still_adds_up() -> None:
    options = ExplanationOptions(top=1)
    one = TASK.encode("a b c", options)
    found = TASK.decode(raw([(0, 1, 0.5), (2, 3, -1.5), (4, 5, 3.5)]), one, options)
    assert [span.text for span in found.contributions] == ["c"]
    assert found.rest == pytest.approx(-1.0) and found.residual == pytest.approx(0.5)
    total = sum(span.value for span in found.contributions)
    assert found.base_value + total + found.rest + found.residual == pytest.approx(found.logit)


def test_it_costs_more_than_an_answer_and_takes_shorter_texts() -> None:
    assert TASK.cost("今天天气很好") > 10 * Moderation().cost("今天天气很好")
    with pytest.raises(InvalidInput, match="explanation takes at most 5,000"):
        admit_item("a" * 5_001, TASK)


def test_decoding_needs_the_input_that_was_encoded() -> None:
    with pytest.raises(TypeError, match="the input that encode made"):
        TASK.decode(raw([]), ModelInput("a", "en"), ExplanationOptions())
