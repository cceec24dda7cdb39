"""Fields of compatible requests: wrong ones are named, null is left out."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.bodies import Body, read_body
from lepton_tasks.openai.embeddings import EmbeddingBody
from lepton_tasks.queues import Priority


@pytest.mark.parametrize(
    ("tier", "priority"),
    [
        (None, Priority.HIGH),
        ("auto", Priority.HIGH),
        ("priority", Priority.HIGH),
        ("default", Priority.NORMAL),
        ("flex", Priority.BULK),
    ],
)
def test_a_tier_is_a_priority(tier: str | None, priority: Priority) -> None:
    assert read_body({"service_tier": tier}, Body).priority is priority


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"modle": "m"}, "modle", "unsupported_parameter"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"model": 7}, "model", "invalid_value"),
        ({"input": "茶", "encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"input": "茶", "dimensions": "many"}, "dimensions", "invalid_value"),
        ({"model": "m"}, "input", "invalid_value"),
    ],
)
def test_a_wrong_field_is_named(given: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_body(given, EmbeddingBody)
    error = caught.value
    assert (error.param, error.code) == (param, code)
    assert param in str(error)
