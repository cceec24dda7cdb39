"""The stock ``openai`` client has prompts gone on from: here, and by a system behind this one."""

from __future__ import annotations

from typing import Any

import pytest
from openai import APIStatusError, BadRequestError, NotFoundError
from openai.types import Completion

from lepton_tasks.states import JobState
from tests.support.openai_system import System

DRAWN: dict[str, Any] = {"temperature": 0.8, "seed": 5, "max_tokens": 24}


@pytest.mark.parametrize("far", [False, True])
def test_a_prompt_is_gone_on_from_whole_and_in_pieces(
    system: System, front: System, far: bool
) -> None:
    client = front.client if far else system.client
    whole = client.completions.create(model="default", prompt="今天天气", **DRAWN)
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 24
    chunks: list[Completion] = list(
        client.completions.create(
            model="default",
            prompt=["今天天气"],
            stream=True,
            stream_options={"include_usage": True},
            **DRAWN,
        )
    )
    texts = [chunk.choices[0].text for chunk in chunks[:-1]]
    assert len(texts) > 1
    assert "".join(texts) == whole.choices[0].text
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    if far:
        near = system.client.completions.create(model="default", prompt="今天天气", **DRAWN)
        assert near.choices[0].text == whole.choices[0].text


def test_prompts_of_a_list_are_choices_in_order(system: System) -> None:
    prompts = ["今天", "The parcel", "谢谢"]
    together = system.client.completions.create(
        model="default", prompt=prompts, max_tokens=6, temperature=0
    )
    assert [choice.index for choice in together.choices] == [0, 1, 2]
    alone = system.client.completions.create(
        model="default", prompt=prompts[2], max_tokens=6, temperature=0
    )
    assert together.choices[2].text == alone.choices[0].text
    character = next(one for one in alone.choices[0].text if not one.isspace())
    ended = system.client.completions.create(
        model="default", prompt=prompts[2], max_tokens=6, temperature=0, stop=character
    )
    assert ended.choices[0].finish_reason == "stop"
    assert character not in ended.choices[0].text


def test_what_can_never_be_written_is_refused_before_a_stream_begins(system: System) -> None:
    with pytest.raises(BadRequestError) as caught:
        system.client.completions.create(
            model="default", prompt="今天", max_tokens=8192, stream=True
        )
    assert "max" in caught.value.message
    with pytest.raises(NotFoundError) as unknown:
        system.client.completions.create(model="gpt-9", prompt="今天", stream=True)
    assert unknown.value.code == "model_not_found"


def test_a_client_that_leaves_a_stream_ends_the_writing_here_and_there(
    system: System, front: System
) -> None:
    stream = front.client.completions.create(
        model="default", prompt="Once", max_tokens=8000, stream=True
    )
    assert next(iter(stream)).choices
    job = front.job("generation", JobState.RUNNING)
    far = system.job("generation", JobState.RUNNING)
    stream.close()

    def ended(side: System, job_id: str) -> None:
        def cancelled() -> Any:
            found = side.store.jobs.get("acme", job_id)
            return found if found.state is JobState.CANCELLED else None

        side.until(cancelled)

    ended(front, job.id)
    ended(system, far.id)


def test_errors_are_of_the_clients_own_kinds(system: System) -> None:
    with pytest.raises(APIStatusError) as caught:
        system.client.completions.create(model="default", prompt=[1, 2])
    assert (caught.value.status_code, caught.value.body["code"]) == (400, "unsupported_tokens")  # type: ignore[index]
