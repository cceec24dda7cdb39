"""Moderations: texts and parts go in, results come out with the types that were looked at."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from lepton_tasks.openai.moderations import Moderations

PART = {"type": "text", "text": "你好"}


@pytest.mark.parametrize(
    ("given", "inputs", "ours"),
    [
        ("你好", ("你好",), "inputs[0]"),
        ([PART, {"type": "text", "text": "hi"}], ("你好\nhi",), "inputs[0]"),
        (["你好", "hi"], ("你好", "hi"), "inputs"),
    ],
)
def test_texts_are_taken_and_one_text_is_named_without_a_place(
    given: Any, inputs: tuple[str, ...], ours: str
) -> None:
    asked = Moderations().read({"input": given, "model": "omni-moderation-latest"})
    assert (asked.task, asked.inputs, asked.options) == ("moderation", inputs, {})
    assert next(iter(asked.names.items())) == (ours, "input")


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        (7, "input", "invalid_type"),
        ([], "input", "invalid_value"),
        ([PART, "hi"], "input[1]", "invalid_type"),
        ([PART, {"type": "image_url"}], "input[1].image_url", "unsupported_image"),
        ([{"type": "text"}], "input[0].type", "invalid_value"),
    ],
)
def test_what_is_no_text_is_named(given: Any, param: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Moderations().read({"input": given})
    assert (caught.value.param, caught.value.code) == (param, code)


def test_a_result_says_which_categories_looked_at_the_text() -> None:
    task, options = Moderation(), ModerationOptions()
    output = task.decode({}, task.encode("你好", options), options).model_dump()
    body = Moderations().read({"input": "你好"}).reply("1", 0.0, [output])
    assert (body["id"], body["model"]) == ("modr_1", "omni-moderation-latest")
    [result] = body["results"]
    applied = result["category_applied_input_types"]
    assert set(applied) == set(result["categories"])
    assert {name for name, kinds in applied.items() if not kinds} == set(
        result["unsupported_categories"]
    )
