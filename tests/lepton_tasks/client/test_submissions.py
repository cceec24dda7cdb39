"""Requests that submit jobs: fields as they are sent, and no second job for a second sending."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lepton_tasks.client.submissions import item_json, submission
from lepton_tasks.nlp.moderation import ModerationOptions
from lepton_tasks.nlp.similarity import Pair


def test_inputs_that_are_more_than_a_text() -> None:
    pair = {"text": "a", "other": "b"}
    assert submission("similarity", Pair(**pair)).json["input"] == pair
    messages = [{"role": "user", "content": "你好"}]
    for dialogue in ("你好", messages, {"messages": messages}):
        assert submission("chat", dialogue).json["input"] == {"messages": messages}
    assert submission("noop", inputs=["一", "two"]).json == {
        "task": "noop",
        "inputs": ["一", "two"],
    }


def test_only_what_was_given_is_sent() -> None:
    request = submission(
        "moderation",
        "你好",
        options=ModerationOptions(block_at=0.8),
        run_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
    assert request.json == {
        "task": "moderation",
        "input": "你好",
        "options": {"block_at": 0.8},
        "run_at": "2030-01-01T00:00:00+00:00",
    }


def test_each_submission_has_a_key_of_its_own() -> None:
    keys: set[Any] = {submission("moderation", "你好").headers["idempotency-key"] for _ in range(2)}
    assert len(keys) == 2


def test_a_dialogue_may_be_a_text_or_messages() -> None:
    messages = [{"role": "user", "content": "hi"}]
    assert item_json("chat", "hi") == item_json("chat", messages) == {"messages": messages}
    assert item_json("moderation", "hi") == "hi"
