"""Prompts: one or a list of them, and choices in their order."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.completions import Completions


def output(text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    return {"text": text, "finish_reason": "length", "usage": usage}


@pytest.mark.parametrize(
    ("prompt", "inputs", "ours"),
    [("今天", ("今天",), "inputs[0]"), (["今天", "The"], ("今天", "The"), "inputs")],
)
def test_prompts_are_inputs(prompt: Any, inputs: tuple[str, ...], ours: str) -> None:
    asked = Completions().read({"prompt": prompt, "model": "default", "seed": 3})
    assert (asked.task, asked.inputs, asked.options) == ("generation", inputs, {"seed": 3})
    assert asked.names[ours] == "prompt"


def test_choices_are_in_the_order_of_the_prompts() -> None:
    body = Completions().read({"prompt": ["a", "b"]}).reply("1", 7.0, [output("c"), output("d")])
    assert [(one["index"], one["text"]) for one in body["choices"]] == [(0, "c"), (1, "d")]
    assert (body["id"], body["object"], body["created"]) == ("cmpl_1", "text_completion", 7)
    assert body["usage"]["total_tokens"] == 6


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"prompt": 7}, "invalid_type"),
        ({"prompt": []}, "invalid_value"),
        ({"prompt": [1, 2]}, "unsupported_tokens"),
        ({"prompt": ["a", "b"], "stream": True}, "unsupported_value"),
    ],
)
def test_what_is_no_prompt_is_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Completions().read(given)
    assert (caught.value.param, caught.value.code) == ("prompt", code)
