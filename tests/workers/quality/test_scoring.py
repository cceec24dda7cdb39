"""Micro-batches of a measurement: every row once, shortest first, within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import ModerationOptions
from workers.engines.base import Encoded, Raw
from workers.quality.scoring import BATCH_ITEMS, PADDED_TOKENS, micro_batches, moderate


@given(st.lists(st.integers(1, 2 * PADDED_TOKENS), max_size=60))
def test_every_row_comes_once_and_no_batch_is_too_large(lengths: list[int]) -> None:
    batches = micro_batches([Encoded(length, None) for length in lengths])
    order = [row for rows in batches for row in rows]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[row] for row in order] == sorted(lengths)
    for rows in batches:
        assert rows
        longest = max(lengths[row] for row in rows)
        assert len(rows) == 1 or len(rows) * longest <= PADDED_TOKENS


def test_a_batch_is_as_large_as_may_be() -> None:
    batches = micro_batches([Encoded(1, None)] * (2 * BATCH_ITEMS + 1))
    assert [len(rows) for rows in batches] == [BATCH_ITEMS, BATCH_ITEMS, 1]
    half = PADDED_TOKENS // 2
    assert micro_batches([Encoded(half, None)] * 3) == [[0, 1], [2]]
    assert micro_batches([Encoded(half + 1, None)] * 2) == [[0], [1]]
    assert micro_batches([]) == []


class Echo:
    """Rates a text by its length, and notes how texts came."""

    name = "echo"
    revision = "r1"

    def __init__(self) -> None:
        self.tokenized: list[int] = []
        self.ran: list[int] = []

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        self.tokenized.append(len(inputs))
        return [Encoded(len(one.text), len(one.text)) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        self.ran.append(len(batch))
        return [{"toxicity": min(1.0, one.tokens / 1_000)} for one in batch]


def test_outputs_keep_the_order_of_the_texts() -> None:
    engine: Any = Echo()
    texts = [("好" if n % 2 else "x") * (1 + n * 37 % 300) for n in range(300)]
    scored = moderate(engine, texts, ModerationOptions(block_at=0.1, language="en"))
    scores = [one.category_scores["toxicity"] for one in scored.outputs]
    assert scores == pytest.approx([len(text) / 1_000 for text in texts], abs=1e-4)
    assert engine.tokenized == [BATCH_ITEMS, 300 - BATCH_ITEMS]
    assert sum(engine.ran) == 300
    assert scored.texts_per_second > 0
