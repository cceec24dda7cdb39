"""Tuning: what is trained is what the engine computes, and it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.encoders import write_encoder
from tests.support.models import one_thread
from workers.engines.branches import Branch, Fork
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.packed import pack
from workers.engines.trunks import Trunks
from workers.engines.tuned import read_top
from workers.training.adapter_run import AdapterRun, tune
from workers.training.adapters import (
    AdapterRecipe,
    TunableTop,
    bert_of,
    lower_states,
    padded,
)

CPU = torch.device("cpu")
FIRST = 1
TEXTS = ["one fine day", "two", "a longer text with more words in it", "three more"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    folder = write_encoder(tmp_path_factory.mktemp("encoder") / "made")
    return Trunks().encoder(folder, 64, CPU, torch.float32)


def test_what_is_trained_is_what_is_served(encoder: SentenceEncoder) -> None:
    top = TunableTop(bert_of(encoder), FIRST, rank=3).eval()
    with torch.no_grad():
        for value in top.adapters.values():
            value.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    ids = encoder.tokenize(TEXTS)
    bert = bert_of(encoder)
    states = []
    for one in ids:
        batch = pack([one], CPU)
        states.append(bert.through(bert.layers[:FIRST], bert.embed(batch), batch))
    with torch.no_grad():
        trained = top(*padded(states))
    served_top = read_top(ModelFolder(Path(), {}, top.named_adapters(), ""), bert)
    whole = pack(ids, CPU)
    (served,) = encoder.trunk.forked(Fork(whole, [Branch(served_top, whole, None)]))
    assert torch.allclose(trained, served.vectors, atol=1e-5)


def test_states_of_the_lower_layers_come_in_order(encoder: SentenceEncoder) -> None:
    states = lower_states(encoder, TEXTS, FIRST, lambda line: None)
    assert [len(one) for one in states] == [len(one) for one in encoder.tokenize(TEXTS)]
    alone = lower_states(encoder, TEXTS[2:3], FIRST, lambda line: None)
    assert torch.allclose(states[2].float(), alone[0].float(), atol=2e-3)


def test_it_learns_and_repeats_itself(encoder: SentenceEncoder) -> None:
    texts = [f"{word} {place % 7 * 'x'}" for place in range(24) for word in ("good", "bad")]
    truth = np.array([0, 1] * 24, dtype=np.int64)
    states = lower_states(encoder, texts, FIRST, lambda line: None)
    recipe = AdapterRecipe(FIRST, rank=2, epochs=8, batch=8, head_rate=3e-2, dropout=0.0)
    lines: list[str] = []
    with one_thread():
        found = tune(encoder, states, truth, recipe, 7, lines.append)
        again = tune(encoder, states, truth, recipe, 7, lines.append)
    assert all(torch.equal(found.adapters[name], again.adapters[name]) for name in found.adapters)
    assert found.head.weights.shape == (encoder.width, 2)
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert losses[7] < 0.62 < 0.69 < losses[0]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("at", [1, 6, 7])
def test_a_run_that_was_stored_ends_as_one_that_was_not(encoder: SentenceEncoder, at: int) -> None:
    texts = [f"{word} {place % 7 * 'x'}" for place in range(24) for word in ("good", "bad")]
    truth = np.array([0, 1] * 24, dtype=np.int64)
    states = lower_states(encoder, texts, FIRST, lambda line: None)
    recipe = AdapterRecipe(FIRST, rank=2, epochs=3, batch=8, dropout=0.1)

    def begin() -> AdapterRun:
        return AdapterRun(bert_of(encoder), states, truth, 2, recipe, 7)

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
    assert all(torch.equal(whole.adapters[name], resumed.adapters[name]) for name in whole.adapters)
