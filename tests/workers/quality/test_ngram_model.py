"""The n-gram model: probabilities that add up, and are better the more it saw."""

from __future__ import annotations

import numpy as np
import pytest

from workers.quality.ngram_model import Ids, NgramModel

VOCABULARY = 7


def ids(*tokens: int) -> Ids:
    return np.array(tokens, np.uint16)


DICE = np.random.default_rng(3)
SHARDS = [DICE.integers(1, VOCABULARY, 60).astype(np.uint16) for _ in range(2)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("before", [(1, 2, 3), (0, 0, 0), (0, 5, 1)])
def test_what_may_come_next_adds_up_to_one(order: int, before: tuple[int, ...]) -> None:
    model = NgramModel(SHARDS, VOCABULARY, order)
    chances = [model.probabilities(ids(*before, token))[-1] for token in range(VOCABULARY)]
    assert sum(chances) == pytest.approx(1.0)
    assert all(chance > 0 for chance in chances)


def test_what_was_seen_is_likelier_the_longer_its_context() -> None:
    shard = ids(*[1, 2, 3, 4, 2, 3, 5] * 20)
    one, two, _, four = (NgramModel([shard], VOCABULARY, n).loss(shard) for n in (1, 2, 3, 4))
    assert one > 3 * two > 6 * four
    after = NgramModel([shard], VOCABULARY).probabilities(ids(1, 2, 3, 4))
    assert after.shape == (3,)
    assert after[-1] > 0.9


def test_lower_orders_count_contexts_not_times() -> None:
    # 6 comes often, but only after 5; 4 seldom, after many.
    shard = ids(*[5, 6] * 30, 1, 4, 2, 4, 3, 4, 0, 4)
    chances = NgramModel([shard], VOCABULARY, 2).probabilities(ids(6, 4))
    assert chances[-1] > NgramModel([shard], VOCABULARY, 2).probabilities(ids(6, 6))[-1]


def test_nothing_runs_over_from_one_shard_to_the_next() -> None:
    apart = NgramModel([ids(1, 1, 1, 2), ids(3, 1, 1, 1)], VOCABULARY, 2)
    together = NgramModel([ids(1, 1, 1, 2, 3, 1, 1, 1)], VOCABULARY, 2)
    assert apart.loss(ids(2, 3)) > together.loss(ids(2, 3))


def test_an_order_that_has_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 4, not 5"):
        NgramModel(SHARDS, VOCABULARY, 5)
