"""Tuning: it learns, repeats itself, and goes on from where it was stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.encoders import write_encoder
from tests.support.models import one_thread
from workers.engines.encoder import SentenceEncoder
from workers.engines.trunks import Trunks
from workers.training.upper_layers import (
    AdaptedLayers,
    UpperLayers,
    WholeLayers,
    bert_of,
    lower_states,
)
from workers.training.upper_run import UpperRecipe, UpperRun, tune

FIRST = 1
LABELLED = [f"{word} {place % 7 * 'x'}" for place in range(24) for word in ("good", "bad")]
TRUTH = np.array([0, 1] * 24, dtype=np.int64)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    folder = write_encoder(tmp_path_factory.mktemp("encoder") / "made")
    return Trunks().encoder(folder, 64, torch.device("cpu"), torch.float32)


def test_it_learns_and_repeats_itself(encoder: SentenceEncoder) -> None:
    states = lower_states(encoder, LABELLED, FIRST, lambda line: None)
    recipe = UpperRecipe(FIRST, rank=2, epochs=8, batch=8, head_rate=3e-2, dropout=0.0)
    lines: list[str] = []
    with one_thread():
        found = tune(encoder, states, TRUTH, recipe, 7, lines.append)
        again = tune(encoder, states, TRUTH, recipe, 7, lines.append)
    assert all(torch.equal(found.tensors[name], again.tensors[name]) for name in found.tensors)
    assert found.head.weights.shape == (encoder.width, 2)
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert losses[7] < 0.62 < 0.69 < losses[0]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(("kind", "at"), [("adapters", 1), ("adapters", 6), ("whole", 7)])
def test_a_run_that_was_stored_ends_as_one_that_was_not(
    encoder: SentenceEncoder, kind: str, at: int
) -> None:
    states = lower_states(encoder, LABELLED, FIRST, lambda line: None)
    recipe = UpperRecipe(FIRST, rank=2, epochs=3, batch=8, dropout=0.1)
    bert = bert_of(encoder)

    def make_top() -> UpperLayers:
        if kind == "whole":
            return WholeLayers(bert, bert.layers, FIRST, recipe.dropout)
        return AdaptedLayers(bert, FIRST, recipe.rank, recipe.dropout)

    def begin() -> UpperRun:
        return UpperRun(make_top, states, TRUTH, 2, recipe, 7)

    kept: list[Any] = []

    def store(done: int, loss: float) -> None:
        if done == at:
            state, tensors = broken.state()
            kept.extend([state, {name: one.clone() for name, one in tensors.items()}])
            raise Interrupted

    with one_thread():
        whole = begin().run(lambda done, loss: None)
        broken = begin()
        with pytest.raises(Interrupted):
            broken.run(store)
        torch.manual_seed(1)
        fresh = begin()
        fresh.restore(*kept)
        resumed = fresh.run(lambda done, loss: None)
    assert np.array_equal(whole.head.weights, resumed.head.weights)
    assert all(torch.equal(whole.tensors[name], resumed.tensors[name]) for name in whole.tensors)
