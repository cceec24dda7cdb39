"""Vectors and scores of an upstream: what is none is not taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from workers.upstream.errors import UpstreamBroken
from workers.upstream.found import ScoresAnswer, VectorAnswer


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"data": []},
        {"data": [{"embedding": "AACAPw=="}]},
        {"data": [{"embedding": []}]},
        {"data": [{"embedding": [0.0, 0.0]}]},
        {"data": [{"embedding": [float("nan")]}]},
        [],
    ],
)
def test_what_is_no_vector(event: Any) -> None:
    with pytest.raises(UpstreamBroken, match="ours answered no vector"):
        VectorAnswer("ours").take(event)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"results": []},
        {"results": [{"categories": {"hate": True}}]},
        {"results": [{"categories": {"hate": True}, "category_scores": {"hate": 7}}]},
        {"results": ["none"]},
    ],
)
def test_what_are_no_scores(event: Any) -> None:
    with pytest.raises(UpstreamBroken, match="ours answered no scores"):
        ScoresAnswer("ours").take(event)
