"""Dividing a micro-batch by the layers that its texts need."""

from __future__ import annotations

import numpy as np
import torch

from workers.engines.branches import fork
from workers.engines.tuned import TunedTop

CPU = torch.device("cpu")
TEXTS = [np.array(ids, np.int32) for ids in ([5, 6, 7], [8], [9, 10])]
TUNED = TunedTop(1, [])


def test_one_way_for_all_is_the_whole_batch() -> None:
    rows = np.array([2, -1, 0, 1])
    found, own, numbers = fork(rows, TEXTS, [TUNED, None, TUNED, TUNED], CPU)
    assert found is not None
    (branch,) = found.branches
    assert branch.top is TUNED and branch.tokens is None and branch.batch is found.whole
    assert own.tolist() == rows.tolist()
    assert numbers.tolist() == [0, -1, 0, 0]


def test_two_ways_take_their_own_texts() -> None:
    rows = np.array([0, 0, 2, 1, -1])
    found, own, numbers = fork(rows, TEXTS, [None, TUNED, TUNED, None, None], CPU)
    assert found is not None
    plain, tuned = found.branches
    assert found.whole.ids.tolist() == [5, 6, 7, 8, 9, 10]
    assert plain.tokens is not None and tuned.tokens is not None
    assert plain.tokens.tolist() == [0, 1, 2, 3]
    assert tuned.tokens.tolist() == [0, 1, 2, 4, 5]
    for branch in (plain, tuned):
        assert branch.tokens is not None
        assert found.whole.ids[branch.tokens].tolist() == branch.batch.ids.tolist()
    assert own.tolist() == [0, 0, 1, 1, -1]
    assert numbers.tolist() == [0, 1, 1, 0, -1]


def test_nothing_for_the_trunk() -> None:
    found, own, numbers = fork(np.array([-1, -1]), [], [None, TUNED], CPU)
    assert (found, own.tolist(), numbers.tolist()) == (None, [-1, -1], [-1, -1])
