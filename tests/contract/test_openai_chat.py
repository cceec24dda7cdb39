"""The stock ``openai`` client chats: with a model here, and with one behind another server."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError, InternalServerError

from lepton_tasks.states import JobState
from tests.support.openai_system import System
from tests.support.upstream import Upstream

HELLO: Any = [{"role": "user", "content": "Hello! How are you?"}]


def test_a_message_is_answered(system: System) -> None:
    answer = system.client.chat.completions.create(model="chat", messages=HELLO)
    [choice] = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.id.startswith("chatcmpl_")
    chinese = system.client.chat.completions.create(
        model="default",
        messages=[
            {"role": "developer", "content": "你是一个旅游助手。"},
            {"role": "user", "content": [{"type": "text", "text": "我想找一家酒店。"}]},
        ],
        service_tier="flex",
        n=1,
        presence_penalty=0,
        metadata={"order": "7"},
    )
    assert chinese.choices[0].message.content
    job = system.store.jobs.get("acme", chinese.id.replace("chatcmpl_", "job_"))
    assert (str(job.priority), dict(job.metadata)) == ("bulk", {"order": "7"})


def test_an_answer_that_is_not_streamed_by_its_model_is_one_piece(system: System) -> None:
    whole = system.client.chat.completions.create(model="chat", messages=HELLO)
    chunks = list(system.client.chat.completions.create(model="chat", messages=HELLO, stream=True))
    pieces = [chunk.choices[0].delta.content for chunk in chunks]
    assert "".join(piece or "" for piece in pieces) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_completion_tokens": 5, "max_tokens": 6}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages[0].name"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_a_chat_cannot_have_is_named(system: System, body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        system.client.post(
            "/chat/completions", body={"model": "chat", "messages": HELLO} | body, cast_to=object
        )
    assert caught.value.param == param


def test_a_dialogue_goes_upstream_and_comes_back_piece_by_piece(
    front: System, server: Upstream
) -> None:
    chunks = list(
        front.client.chat.completions.create(
            model="scripted-chat",
            messages=[
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "say 今天 天气 不错"},
            ],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "今天 天气 不错"
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    assert server.paths[-1] == "/v1/chat/completions"
    assert server.bodies[-1]["messages"][0] == {"role": "system", "content": "Be short."}
    far = front.client.chat.completions.create(model="far-chat", messages=HELLO)
    assert far.choices[0].message.content


def test_what_the_upstream_refuses_is_told_and_quotes_nothing(front: System) -> None:
    def ask(text: str) -> None:
        front.client.chat.completions.create(
            model="scripted-chat", messages=[{"role": "user", "content": text}]
        )

    with pytest.raises(BadRequestError) as caught:
        ask("status 400 my secret")
    assert caught.value.code == "upstream_refused"
    assert "my secret" not in caught.value.message
    with pytest.raises(InternalServerError) as wrong:
        ask("status 401")
    assert wrong.value.code == "model_unavailable"


def test_what_is_away_is_run_again_not_before_it_asks(front: System) -> None:
    job = front.client.post(
        f"{front.url}/v1/jobs",
        body={
            "task": "chat",
            "input": {"messages": [{"role": "user", "content": "status 503 300"}]},
            "options": {"model": "scripted-chat"},
        },
        cast_to=object,
    )
    job_id = str(job["id"])  # type: ignore[index]

    def put_back() -> Any:
        found = front.store.jobs.get("acme", job_id)
        return found if found.attempts == 1 and found.state is JobState.QUEUED else None

    again = front.until(put_back)
    assert again.run_at - again.created_at >= 300
    front.store.jobs.cancel("acme", job_id)
