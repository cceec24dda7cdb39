"""Conversations as they are shown: names of turns, and the messages that a turn has by now."""

from __future__ import annotations

import pytest

from api.conversation_schemas import ConversationView, TurnView, turn_id, turn_number
from lepton_tasks.store.conversations import Conversation, Turn


def test_a_turn_is_found_by_the_name_that_it_is_given() -> None:
    assert [turn_number(turn_id(number)) for number in (0, 7, 999)] == [0, 7, 999]
    assert turn_number(None) == -1


@pytest.mark.parametrize("name", ["", "7", "turn_", "turn_-1", "turn_七", "turn_1234567890"])
def test_what_names_no_turn_is_none(name: str) -> None:
    assert turn_number(name) is None


def test_a_turn_shows_the_messages_that_there_are() -> None:
    waits = TurnView.of(Turn(3, "job_1", None, "门票多少钱？", None, 5.0))
    assert (waits.id, waits.job_id) == ("turn_3", "job_1")
    assert [(one.role, one.content) for one in waits.messages] == [("user", "门票多少钱？")]
    done = TurnView.of(Turn(4, "job_2", "Be brief.", "Open today?", "Yes.", 6.0))
    assert [one.role for one in done.messages] == ["system", "user", "assistant"]


def test_a_conversation_is_shown_without_its_tenant() -> None:
    stored = Conversation("acme", "conv_1", 2, None, None, {"page": "价格"}, 1.0, 2.0)
    shown = ConversationView.of(stored).model_dump()
    assert "acme" not in repr(shown)
    assert (shown["id"], shown["turns"], shown["metadata"]) == ("conv_1", 2, {"page": "价格"})
    assert shown["expires_at"] is None
