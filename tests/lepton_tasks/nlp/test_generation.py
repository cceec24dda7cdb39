"""Generation without a model: what is asked, what it costs, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GeneratedText, GenerationInput, GenerationSpec
from lepton_tasks.nlp.generation import Generation, GenerationOptions, GenerationOutput
from lepton_tasks.requests import Admission, JobRequest

TASK = Generation()
GATE = Admission({TASK.name: TASK}, max_items=10)
RAW = GeneratedText(
    text="天气很好。", finish_reason="stop", prompt_tokens=2, completion_tokens=5, truncated=False
)


def encode(text: str = "今天", **options: Any) -> GenerationInput:
    return TASK.encode(text, GenerationOptions.model_validate(options))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今天", "zh"),
        ("天氣很好，我們去公園", "zh"),
        ("Today is", "en"),
        ("ＦＵＬＬ　ｗｉｄｔｈ text", "en"),
        ("我的 app 打不开了", "zh"),
        ("🙂🙂", "und"),
        ("line one\n\n  line two ", "en"),
    ],
)
def test_a_prompt_stays_as_it_is_written(text: str, language: str) -> None:
    assert encode(text) == GenerationInput(text, language, GenerationSpec())
    assert encode(text, language="zh").language == "zh"


def test_equal_work_is_equal_and_drawn_texts_are_not() -> None:
    assert encode() == encode()
    assert encode(temperature=1.0, seed=4) == encode(temperature=1.0, seed=4)
    assert encode(temperature=1.0) != encode(temperature=1.0)


def test_the_answer_tells_the_seed_that_was_drawn() -> None:
    options = GenerationOptions(temperature=1.0)
    given = TASK.encode("今天", options)
    output = TASK.decode(RAW, given, options)
    assert output.seed == given.spec.seed
    again = GenerationOptions(temperature=1.0, seed=output.seed)
    assert TASK.encode("今天", again) == given


def test_the_likeliest_text_has_no_seed() -> None:
    options = GenerationOptions(seed=5)
    output = TASK.decode(RAW, TASK.encode("今天", options), options)
    assert output == GenerationOutput(
        text="天气很好。",
        finish_reason="stop",
        usage={"prompt_tokens": 2, "completion_tokens": 5},
        seed=None,
        language="zh",
        truncated=False,
    )


def test_what_another_task_encoded_is_no_prompt() -> None:
    with pytest.raises(TypeError, match="GenerationInput"):
        TASK.decode(RAW, ModelInput("今天", "zh"), GenerationOptions())


def test_a_job_costs_what_it_lets_be_written() -> None:
    prompts = ("今天", "The parcel came on Monday")
    read = sum(map(TASK.cost, prompts))
    for options, written in (({}, 256), ({"max_tokens": 5}, 5)):
        job = GATE.admit("a", JobRequest("generation", inputs=prompts, options=options))
        assert job.cost == read + 2 * written


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"top_p": 0}, "options.top_p"),
        ({"temperature": -1}, "options.temperature"),
        ({"max_tokens": 0}, "options.max_tokens"),
        ({"stop": ["。", ""]}, "options.stop[1]"),
        ({"language": "fr"}, "options.language"),
        ({"beams": 2}, "options.beams"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_gate(options: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        GATE.admit("a", JobRequest("generation", input="今天", options=options))
    assert caught.value.param == param
