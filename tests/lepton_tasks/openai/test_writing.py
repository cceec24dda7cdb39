"""What is common to texts that are written: options by their names, neutral values left out."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.bodies import read_body
from lepton_tasks.openai.writing import WritingBody, usage_of, without_neutral


def test_what_asks_for_nothing_is_left_out() -> None:
    given = {"n": 1, "tools": [], "logit_bias": {}, "tool_choice": "auto", "frequency_penalty": 0.0}
    assert without_neutral({**given, "seed": 3}) == {"seed": 3}
    assert without_neutral({"presence_penalty": 0.5}) == {"presence_penalty": 0.5}


@pytest.mark.parametrize("given", [{"n": 2}, {"best_of": 0}, {"n": True}])
def test_one_text_is_written_a_request(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        without_neutral(given)
    assert (caught.value.param, caught.value.code) == (next(iter(given)), "unsupported_value")


def test_options_are_those_that_were_given() -> None:
    body = read_body({"model": "m", "top_k": 4, "stop": ["。"], "stream": False}, WritingBody)
    assert body.options("generation") == {"model": "m", "top_k": 4, "stop": ["。"]}
    assert not body.wants_usage


def test_tokens_are_added_up() -> None:
    one = {"usage": {"prompt_tokens": 3, "completion_tokens": 5}}
    assert usage_of(one, one)["total_tokens"] == 16
