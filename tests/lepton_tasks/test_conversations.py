"""What admission takes as a turn, and where none can be kept."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.conversation_rules import new_conversation
from lepton_tasks.conversations import NewTurn, answer_of
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.chat import Chat, ChatOptions
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.requests import Admission, JobRequest
from tests.support.talking import a_turn

ADMISSION = Admission(find_tasks(), 4, conversation_seconds=60.0)
HELLO = {"messages": [{"role": "user", "content": "你好"}]}


def admit(item: Any = None, *, inputs: Any = None, **options: Any) -> NewTurn | None:
    request = JobRequest("chat", input=item, inputs=inputs, options=options)
    return ADMISSION.admit("acme", request).turn


def test_a_job_with_a_conversation_is_a_turn() -> None:
    assert admit(HELLO, conversation="conv_1") == NewTurn("conv_1", 10, 4_000, 60.0)
    found = admit(HELLO, conversation="conv_a-B_9", history_turns=0, history_characters=9)
    assert found == NewTurn("conv_a-B_9", 0, 9, 60.0)
    assert admit(HELLO) is None
    assert admit(inputs=[HELLO, HELLO]) is None
    assert a_turn("你好").turn == NewTurn("conv_1", 10, 4_000, 86_400.0)


@pytest.mark.parametrize("name", ["", "conv_", "abc", "conv_" + "x" * 65, "conv_你", 7, "conv_a\n"])
def test_an_id_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        admit(HELLO, conversation=name)
    assert refused.value.param == "options.conversation"


@pytest.mark.parametrize(("name", "value"), [("history_turns", 51), ("history_characters", -1)])
def test_the_history_is_bounded(name: str, value: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        admit(HELLO, conversation="conv_1", **{name: value})
    assert refused.value.param == f"options.{name}"


def test_a_turn_is_one_new_message() -> None:
    with pytest.raises(InvalidInput) as refused:
        admit(inputs=[HELLO], conversation="conv_1")
    assert refused.value.param == "inputs"
    said = [*HELLO["messages"], {"role": "assistant", "content": "您好"}, *HELLO["messages"]]
    for messages in (said, [*HELLO["messages"], *HELLO["messages"]]):
        with pytest.raises(InvalidInput, match=r"^input\.messages: with") as refused:
            admit({"messages": messages}, conversation="conv_1")
        assert refused.value.code == "conversation_keeps_history"


def test_the_answer_tells_how_much_was_remembered() -> None:
    task, options = Chat(), ChatOptions()
    raw = {"text": "好", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}
    given = task.encode(task.read_item({**HELLO, "history": [4, 6]}), options)
    found = task.decode(raw, given, options)
    assert found.history is not None
    assert (found.history.messages, found.history.left_out) == (4, 6)
    given = task.encode(task.read_item(HELLO), options)
    assert task.decode(raw, given, options).history is None


@pytest.mark.parametrize("result", [None, '{"outputs": [{"error": {"code": "x"}}]}'])
def test_a_result_without_a_message_is_no_answer(result: str | None) -> None:
    assert answer_of(result) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "x"}, "name"),
        ({"id": "chat_1"}, "id"),
        ({"id": 7}, "id"),
        ({"id": "conv_1\n"}, "id"),
        ({"expires_after": 0}, "expires_after"),
        ({"expires_after": "1d"}, "expires_after"),
        ({"expires_after": 1e12}, "expires_after"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_a_conversation_that_cannot_be_is_refused_and_named(
    body: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        new_conversation(body, None)
    assert refused.value.param == param


def test_a_conversation_may_say_nothing_of_itself() -> None:
    made = new_conversation({}, 9.0)
    assert (made.id, made.expires_after, made.metadata) == (None, 9.0, {})
