"""Upper layers that learn: what is trained is what the engine computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.encoders import write_encoder
from workers.engines.branches import Branch, Fork
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.packed import pack
from workers.engines.trunks import Trunks
from workers.engines.tuned import make_top, read_top
from workers.training.upper_layers import (
    AdaptedLayers,
    UpperLayers,
    WholeLayers,
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


def made(encoder: SentenceEncoder, kind: str) -> UpperLayers:
    """Layers that have learned something."""
    bert = bert_of(encoder)
    top: UpperLayers = AdaptedLayers(bert, FIRST, rank=3, dropout=0.5)
    if kind != "adapters":
        top = WholeLayers(bert, bert.layers, FIRST, dropout=0.5)
    with torch.no_grad():
        for value in top.learned.values():
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    return top.eval()


def served(encoder: SentenceEncoder, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """Vectors of TEXTS as a worker makes them of a folder with ``tensors``."""
    top = read_top(ModelFolder(Path(), {}, tensors, ""), bert_of(encoder))
    whole = pack(encoder.tokenize(TEXTS), CPU)
    (states,) = encoder.trunk.forked(Fork(whole, [Branch(top, whole, None)]))
    return states.vectors


@pytest.mark.parametrize("kind", ["adapters", "whole"])
def test_what_is_trained_is_what_is_served(encoder: SentenceEncoder, kind: str) -> None:
    top, bert = made(encoder, kind), bert_of(encoder)
    states = []
    for one in encoder.tokenize(TEXTS):
        batch = pack([one], CPU)
        states.append(bert.through(bert.layers[:FIRST], bert.embed(batch), batch))
    with torch.no_grad():
        trained = top(*padded(states))
    assert torch.allclose(trained, served(encoder, top.named()), atol=1e-5)
    plain = encoder.forward(encoder.tokenize(TEXTS))
    assert not torch.allclose(trained, plain, atol=1e-2)


def test_a_copy_of_adapted_layers_begins_as_they_are(encoder: SentenceEncoder) -> None:
    tensors = made(encoder, "adapters").named()
    adapted = make_top(tensors, bert_of(encoder), "here")
    assert adapted is not None
    copied = WholeLayers(bert_of(encoder), adapted.layers, FIRST)
    assert torch.allclose(served(encoder, tensors), served(encoder, copied.named()), atol=1e-5)


def test_states_of_the_lower_layers_come_in_order(encoder: SentenceEncoder) -> None:
    states = lower_states(encoder, TEXTS, FIRST, lambda line: None)
    assert [len(one) for one in states] == [len(one) for one in encoder.tokenize(TEXTS)]
    alone = lower_states(encoder, TEXTS[2:3], FIRST, lambda line: None)
    assert torch.allclose(states[2].float(), alone[0].float(), atol=2e-3)
