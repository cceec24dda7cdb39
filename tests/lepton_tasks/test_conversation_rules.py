"""Conversations that tenants ask for: each field checked and named."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.conversation_rules import new_conversation
from lepton_tasks.errors import InvalidInput


def test_what_is_left_out_is_as_the_operator_has_it() -> None:
    made = new_conversation({}, 60.0)
    assert (made.id, made.expires_after, dict(made.metadata)) == (None, 60.0, {})
    assert new_conversation({}, None).expires_after is None


def test_what_is_given_counts() -> None:
    body = {"id": "conv_17-a", "expires_after": 5, "metadata": {"who": "客服"}}
    made = new_conversation(body, 60.0)
    assert (made.id, made.expires_after) == ("conv_17-a", 5.0)
    assert made.metadata == {"who": "客服"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"id": "17"}, "id"),
        ({"id": "conv_"}, "id"),
        ({"id": "conv_" + "x" * 65}, "id"),
        ({"id": 17}, "id"),
        ({"expires_after": 0}, "expires_after"),
        ({"expires_after": "5"}, "expires_after"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"title": "x"}, "title"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        new_conversation(body, None)
    assert str(wrong.value.param).startswith(param)
