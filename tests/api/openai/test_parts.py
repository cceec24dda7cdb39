"""A call as several jobs, in order; one of a bare input is one job of it."""

from __future__ import annotations

from api.openai.parts import in_jobs, shifted
from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.endpoints import ENDPOINTS


def test_a_long_list_is_several_jobs() -> None:
    body = {"input": ["一", "two", "三"], "service_tier": "flex", "model": "bge-m3"}
    first, second = in_jobs(ENDPOINTS["/v1/embeddings"].read(body), 2)
    assert (first.inputs, second.inputs) == (("一", "two"), ("三",))
    assert (first.task, first.options, first.priority) == ("embedding", {"model": "bge-m3"}, "bulk")


def test_a_dialogue_is_one_job_of_a_bare_input() -> None:
    messages = [{"role": "user", "content": "你好"}]
    body = {"messages": messages, "metadata": {"order": "7"}}
    [request] = in_jobs(ENDPOINTS["/v1/chat/completions"].read(body), 1)
    assert (request.input, request.inputs) == ({"messages": messages}, None)
    assert request.metadata == {"order": "7"}


def test_an_error_counts_the_inputs_of_the_whole_call() -> None:
    error = InvalidInput("inputs[3].text is empty", "inputs[3].text", "empty_text")
    said = shifted(error, 256)
    assert (str(said), said.param) == ("inputs[259].text is empty", "inputs[259].text")
    other = InvalidInput("no", "options.model")
    assert shifted(other, 256) is other
