"""The question-answering task without any model: items, options, and what an answer says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionAnsweringOutput,
    QuestionItem,
)
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup

TASK = QuestionAnswering()
CONTEXT = "It rained. The bridge was built in 1871 by Ann. It is long."
CHINESE = "这座小城很大。圖書館於１９０４年開放😀，藏書六萬册。"


def answer(
    context: str, start: int, end: int, score: float = 0.9, **options: Any
) -> QuestionAnsweringOutput:
    """Decode a raw result that says ``start`` and ``end``."""
    chosen = QuestionAnsweringOptions.model_validate(options)
    encoded = TASK.encode(QuestionItem(question="When?", context=context), chosen)
    raw = {"start": start, "end": end, "score": score, "windows": 2}
    return TASK.decode(raw, encoded, chosen)


@pytest.mark.parametrize(
    ("item", "param", "code"),
    [
        ("a text", "inputs[1]", "invalid_type"),
        ({"question": "When?"}, "inputs[1].context", "invalid_item"),
        ({"question": "", "context": "c"}, "inputs[1].question", "invalid_item"),
        ({"question": "  ", "context": "c"}, "inputs[1].question", "empty_text"),
        ({"question": "q" * 1001, "context": "c"}, "inputs[1].question", "invalid_item"),
        ({"question": "When?", "context": "\0"}, "inputs[1].context", "invalid_character"),
        ({"question": "When?", "context": "c" * 20_000}, "inputs[1]", "text_too_long"),
        ({"question": "When?", "context": "c", "id": "7"}, "inputs[1].id", "invalid_item"),
    ],
)
def test_what_is_no_item_is_named(item: object, param: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        admit_item(item, TASK, "inputs[1]")
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"no_answer_below": 1.5}, "less than or equal to 1"),
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"threshold": 0.5}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        QuestionAnsweringOptions.model_validate(options)


def test_an_answer_and_its_sentence_are_parts_of_the_context_as_it_was_sent() -> None:
    output = answer(CONTEXT, 35, 39)
    assert (output.answer, output.language, output.windows) == ("1871", "en", 2)
    assert output.sentence is not None
    assert output.sentence.text == "The bridge was built in 1871 by Ann."
    assert CONTEXT[output.sentence.start : output.sentence.end] == output.sentence.text

    start = CHINESE.index("１９０４年")
    output = answer(CHINESE, start, start + 5)
    assert (output.answer, output.language) == ("１９０４年", "zh")
    assert output.sentence is not None
    assert output.sentence.text == "圖書館於１９０４年開放😀，藏書六萬册。"


def test_an_answer_over_two_sentences_has_both() -> None:
    output = answer(CONTEXT, 4, 21)
    assert output.sentence is not None
    assert output.sentence.text == CONTEXT[: CONTEXT.index(" It is")]


def test_no_answer_below_the_threshold_or_without_a_span() -> None:
    for output in (
        answer(CONTEXT, 35, 39, 0.4, no_answer_below=0.5),
        answer(CONTEXT, 0, 0, 0.9),
    ):
        assert (output.answer, output.start, output.end, output.sentence) == (None,) * 4
    assert answer(CONTEXT, 35, 39, 0.4, no_answer_below=0.5).score == 0.4
    assert answer(CONTEXT, 35, 39, 0.5, no_answer_below=0.5).answer == "1871"
    assert answer(CONTEXT, 35, 39, 0.0, no_answer_below=0.0).answer == "1871"


@given(st.text(min_size=1, max_size=60), st.data())
def test_answers_are_spans_of_the_context_and_survive_json(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    output = answer(text, start, end)
    assert QuestionAnsweringOutput.model_validate_json(output.model_dump_json()) == output
    if output.answer is not None:
        assert output.answer == text[output.start : output.end]
        assert output.sentence is not None
        assert output.sentence.start <= start < end <= output.sentence.end
        assert output.sentence.text == text[output.sentence.start : output.sentence.end]


def test_the_language_is_that_of_the_context() -> None:
    item = QuestionItem(question="When?", context=CHINESE)
    assert TASK.encode(item, QuestionAnsweringOptions()).language == "zh"
    assert TASK.encode(item, QuestionAnsweringOptions(language="en")).language == "en"
    number = QuestionItem(question="When?", context="12:30")
    assert TASK.encode(number, QuestionAnsweringOptions()).language == "und"


def test_another_tasks_input_is_refused() -> None:
    with pytest.raises(TypeError, match="QuestionInput"):
        TASK.decode({}, ModelInput("text", "en"), QuestionAnsweringOptions())


def test_schemas_are_json() -> None:
    for schema in (
        TASK.input_schema(),
        QuestionAnsweringOptions.model_json_schema(),
        QuestionAnsweringOutput.model_json_schema(),
    ):
        assert json.loads(json.dumps(schema)) == schema


PASSAGES = [FoundPassage("b", "The bridge is long. It is old.", 40), FoundPassage("a", CHINESE, 0)]


def from_corpus(start: int, end: int, score: float = 0.9) -> QuestionAnsweringOutput:
    chosen = QuestionAnsweringOptions(corpus="handbook")
    asked = TASK.encode_found(QuestionItem(question="Which?"), PASSAGES, chosen)
    raw = {"start": start, "end": end, "score": score, "windows": 2}
    return TASK.decode(raw, asked, chosen)


def test_an_answer_from_a_corpus_stands_in_its_document() -> None:
    context = TASK.encode_found(
        QuestionItem(question="Which?"), PASSAGES, QuestionAnsweringOptions(corpus="c")
    ).text
    at = context.index("old")
    found = from_corpus(at, at + 3)
    assert (found.document, found.answer, found.start, found.end) == ("b", "old", 66, 69)
    assert found.sentence is not None and found.sentence.text == "It is old."
    assert (found.sentence.start, found.sentence.end) == (60, 70)
    at = context.index("１９０４")
    found = from_corpus(at, at + 4)
    assert (found.document, found.start) == ("a", CHINESE.index("１９０４"))
    # No answer runs from one document into the next.
    at = context.index("old")
    assert from_corpus(at, len(context)).answer == "old."
    none = from_corpus(at, at + 3, score=0.1)
    assert (none.document, none.answer, none.sentence) == (None, None, None)


def test_a_question_to_a_corpus_needs_no_context() -> None:
    item = {"question": "When?"}
    assert admit_item(item, TASK, corpus="c") == item
    with pytest.raises(InvalidInput, match="takes its place") as refused:
        admit_item({"question": "When?", "context": "c"}, TASK, corpus="c")
    assert refused.value.param == "input.context"
    options = QuestionAnsweringOptions(corpus="c")
    asked = QuestionItem(question="When?")
    assert TASK.lookup(asked, options) == Lookup("c", "When?", 8)
    assert TASK.lookup(asked, QuestionAnsweringOptions()) is None
    nothing = TASK.encode_found(asked, [], options)
    assert nothing.spans and nothing.language == "en"
    raw = {"start": 0, "end": 1, "score": 1.0, "windows": 1}
    found = TASK.decode(raw, nothing, options)
    assert (found.answer, found.document, found.start) == (None, None, None)
    number = QuestionItem(question="1 + 1?")
    assert TASK.encode_found(number, PASSAGES[1:], options).language == "zh"
