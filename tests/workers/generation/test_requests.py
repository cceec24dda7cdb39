"""Requests and results of a generator, as the tasks know them."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from workers.errors import ModelError
from workers.generation.requests import (
    FinishReason,
    Generation,
    GenerationFailed,
    GenerationRefused,
    GenerationRequest,
)


def test_a_task_that_says_how_to_generate_is_heeded() -> None:
    spec = GenerationSpec(max_new_tokens=7, temperature=0.5, stop=("。",), stream=True)
    given = GenerationInput("你好", "zh", spec)
    request = GenerationRequest.of("job_1:0", given, [5, 6, 7], 0, "acme")
    assert request.spec is spec
    assert (request.id, request.rank, request.tenant) == ("job_1:0", 0, "acme")
    assert request.most_tokens == 10


def test_a_task_that_says_nothing_gets_the_defaults() -> None:
    request = GenerationRequest.of("job_1:0", ModelInput("hi", "en"), [5], 1, "")
    assert request.spec == GenerationSpec()
    assert request.most_tokens == 1 + GenerationSpec().max_new_tokens


@pytest.mark.parametrize("reason", FinishReason)
def test_a_result_is_what_a_task_decodes(reason: FinishReason) -> None:
    raw = Generation("好的。", reason, prompt_tokens=4, completion_tokens=3).raw()
    assert raw == {
        "text": "好的。",
        "finish_reason": reason.value,
        "prompt_tokens": 4,
        "completion_tokens": 3,
        "truncated": False,
    }
    assert type(raw["finish_reason"]) is str


def test_what_can_go_wrong_has_codes_of_its_own() -> None:
    codes = {kind.code for kind in (GenerationRefused, GenerationFailed)}
    assert codes == {"generation_refused", "generation_failed"}
    assert issubclass(GenerationRefused, ModelError) and issubclass(GenerationFailed, ModelError)
