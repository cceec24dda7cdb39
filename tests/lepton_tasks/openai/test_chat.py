"""Dialogues: messages as the task has them, options by either name, the answer's shape."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.chat import ChatCompletions, chat_head, read_chat

HELLO = [{"role": "user", "content": "你好"}]
OUTPUT = {
    "message": {"role": "assistant", "content": "Hello!"},
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 2, "completion_tokens": 3},
}


def test_messages_and_options_are_the_tasks() -> None:
    asked = ChatCompletions().read(
        {
            "messages": [{"role": "developer", "content": "Be short."}, *HELLO],
            "model": "chat",
            "max_completion_tokens": 7,
            "service_tier": "flex",
            "n": 1,
        }
    )
    assert asked.task == "chat"
    assert asked.inputs == (
        {"messages": [{"role": "system", "content": "Be short."}, {**HELLO[0]}]},
    )
    assert asked.options == {"model": "chat", "max_tokens": 7}
    assert asked.names["options.max_tokens"] == "max_completion_tokens"
    assert asked.names["inputs[0].messages"] == asked.names["input.messages"] == "messages"
    assert (asked.single, asked.stream, asked.priority) == (True, False, "bulk")


def test_an_answer_is_one_choice() -> None:
    body = ChatCompletions().read({"messages": HELLO}).reply("1", 7.9, [OUTPUT])
    [choice] = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello!", "refusal": None}
    assert (body["id"], body["object"], body["created"]) == ("chatcmpl_1", "chat.completion", 7)
    assert body["usage"]["total_tokens"] == 5


def test_events_begin_as_the_answer_does() -> None:
    read = read_chat({"messages": HELLO, "model": "chat", "stream": True})
    head = chat_head(read, "1", 7.0, "chat.completion.chunk")
    assert head == {
        "id": "chatcmpl_1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "chat",
        "service_tier": "auto",
    }


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"messages": "你好"}, "messages"),
        ({"messages": ["你好"]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages[0].content[0]"),
        ({"messages": HELLO, "max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"messages": HELLO, "temperature": "hot"}, "temperature"),
        ({}, "messages"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ChatCompletions().read(given)
    assert caught.value.param == param
