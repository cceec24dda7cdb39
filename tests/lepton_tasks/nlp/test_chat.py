"""Dialogue as a task: which orders are taken, and how answers are told."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.chat import MOST_MESSAGES, Chat, ChatInput, ChatOptions
from lepton_tasks.nlp.grounding import MOST_CHARACTERS
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup

TASK = Chat()
RAW = {"text": "好的。", "finish_reason": "stop", "prompt_tokens": 7, "completion_tokens": 3}


def said(*messages: tuple[str, object]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def encoded(*messages: tuple[str, str], **options: Any) -> ChatInput:
    item = TASK.read_item(said(*messages))
    return TASK.encode(item, ChatOptions.model_validate(options))


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ({"messages": []}, "input.messages"),
        ({}, "input.messages"),
        ({"messages": "你好"}, "input.messages"),
        (said(("robot", "你好")), "input.messages[0].role"),
        (said(("user", None)), "input.messages[0].content"),
        (said(("user", ["你好"])), "input.messages[0].content"),
        (said(("user", "  ")), "input.messages[0].content"),
        (said(("user", "\ud800")), "input.messages[0].content"),
        (said(("user", "你好"), ("assistant", "您好")), "input.messages"),
        (said(("system", "简短。")), "input.messages"),
        (said(("user", "你好"), ("system", "简短。"), ("user", "在吗")), "input.messages"),
        (said(*[("user", "在吗")] * (MOST_MESSAGES + 1)), "input.messages"),
        (said(("user", "长" * 20_001)), "input"),
        ({"messages": [{"role": "user", "content": "Hi", "name": "x"}]}, "input.messages[0].name"),
        ({**said(("user", "Hi")), "history": [1, 0]}, "input.history"),
    ],
)
def test_what_is_no_dialogue_is_refused_and_named(item: Any, place: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        admit_item(item, TASK)
    assert refused.value.param == place
    assert "长" not in str(refused.value)


def test_the_engine_gets_all_messages_as_they_are() -> None:
    messages = (("system", "简短。"), ("user", "ｈｉ "), ("assistant", "您好"), ("user", "謝謝 😀"))
    found = encoded(*messages, temperature=0.5, seed=3, max_tokens=9, stop="。")
    assert found.messages == messages
    assert (found.text, found.language) == ("謝謝 😀", "zh")
    assert (found.spec.seed, found.spec.max_new_tokens, found.spec.stop) == (3, 9, ("。",))
    assert hash(found) == hash(encoded(*messages, temperature=0.5, seed=3, max_tokens=9, stop="。"))


@pytest.mark.parametrize(("option", "language"), [(None, "en"), ("zh", "zh")])
def test_the_language_is_that_of_the_last_message(option: str | None, language: str) -> None:
    found = encoded(("user", "你好"), ("assistant", "您好"), ("user", "Thanks!"), language=option)
    assert found.language == language


def test_a_generated_answer_tells_its_seed_where_it_was_drawn() -> None:
    for temperature, seed in ((0.0, None), (0.8, 5)):
        options = ChatOptions(temperature=temperature, seed=5)
        given = TASK.encode(TASK.read_item(said(("user", "你好"))), options)
        found = TASK.decode(RAW, given, options)
        assert (found.message.role, found.message.content) == ("assistant", "好的。")
        assert (found.seed, found.score, found.usage.prompt_tokens) == (seed, None, 7)


def test_a_stored_answer_tells_its_score() -> None:
    options = ChatOptions(temperature=0.8)
    given = TASK.encode(TASK.read_item(said(("user", "你好"))), options)
    found = TASK.decode({**RAW, "score": 0.7}, given, options)
    assert (found.score, found.seed) == (0.7, None)


def test_another_tasks_input_is_refused() -> None:
    with pytest.raises(TypeError, match="ChatInput"):
        TASK.decode(RAW, ModelInput("你好", "zh"), ChatOptions())


def test_one_text_is_a_dialogue_of_one_message() -> None:
    item = admit_item(TASK.from_text("你好"), TASK)
    assert item == said(("user", "你好"))


def test_a_model_is_tried_with_short_answers() -> None:
    tried = TASK.examples_for("any")
    assert [one for one, _ in tried] == list(TASK.examples)
    assert all(options.spec().max_new_tokens == 8 for _, options in tried)


FOUND = (FoundPassage("馆", "九点开门。", 10), FoundPassage("bridge", "Built in 1871.", 0))


def grounded(*messages: tuple[str, str], found: Any = FOUND, **more: Any) -> ChatInput:
    item = TASK.read_item({**said(*messages), **more})
    return TASK.encode_found(item, found, ChatOptions(corpus="handbook"))


def test_the_last_message_is_looked_up_in_the_corpus_alone() -> None:
    item = TASK.read_item(said(("user", "你好"), ("assistant", "您好"), ("user", "几点开门？")))
    assert TASK.lookup(item, ChatOptions()) is None
    assert TASK.lookup(item, ChatOptions(corpus="手册")) == Lookup("手册", "几点开门？", 8)
    assert admit_item(said(("user", "几点？")), TASK, corpus="手册") == said(("user", "几点？"))


def test_passages_stand_in_one_system_message() -> None:
    dialogue = (("user", "你好"), ("assistant", "您好"), ("user", "几点开门？"))
    found = grounded(*dialogue)
    [(role, told), *rest] = found.messages
    assert role == "system" and tuple(rest) == dialogue
    assert told.startswith("请根据以下文档片段回答")
    assert told.endswith("[馆]\n九点开门。\n\n[bridge]\nBuilt in 1871.")
    with_own = grounded(("system", "Be brief."), ("user", "When was it built?"))
    [(_, told), last] = with_own.messages
    assert told.startswith("Be brief.\n\nAnswer from these passages")
    assert last == ("user", "When was it built?") and with_own.text == last[1]
    assert grounded(("user", "Привет"), found=()).messages == (("user", "Привет"),)


def test_a_conversation_keeps_its_history_beside_passages() -> None:
    dialogue = (("user", "你好"), ("assistant", "您好"), ("user", "几点开门？"))
    found = grounded(*dialogue, history=[2, 0])
    assert found.history == (2, 0) and found.messages[1:] == dialogue
    output = TASK.decode(RAW, found, ChatOptions(corpus="handbook"))
    assert output.history is not None and output.history.messages == 2


def test_only_passages_that_find_room_are_given_and_named() -> None:
    long = FoundPassage("long", "长" * MOST_CHARACTERS, 0)
    found = grounded(("user", "几点？"), found=(FOUND[0], long, FOUND[1]))
    assert found.passages == FOUND
    assert not any("长长" in content for _, content in found.messages)


def test_sources_are_what_was_given_or_the_sentence_that_was_copied() -> None:
    options = ChatOptions(corpus="handbook")
    given = grounded(("user", "几点？"))
    for more, wanted in (
        ({}, [("馆", 10, 15), ("bridge", 0, 14)]),
        ({"score": 0.4, "copied": ((0, 1, 4),)}, [("馆", 11, 14)]),
        ({"score": 0.1, "copied": ()}, []),
    ):
        found = TASK.decode({**RAW, **more}, given, options)
        assert [(one.document, one.start, one.end) for one in found.sources] == wanted
    assert TASK.decode(RAW, grounded(("user", "几点？"), found=()), options).sources == []
    assert TASK.decode(RAW, encoded(("user", "几点？")), ChatOptions()).sources == []
