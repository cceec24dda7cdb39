"""Whole layers as adapters: all of the change at full rank, the most of it below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.encoders import WIDTH, write_encoder
from workers.engines.bert import Bert
from workers.engines.packed import pack
from workers.engines.trunks import Trunks
from workers.engines.tuned import make_top
from workers.training.reducing import reduced
from workers.training.upper_layers import WholeLayers, bert_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Bert:
    folder: Path = write_encoder(tmp_path_factory.mktemp("encoder") / "made")
    return bert_of(Trunks().encoder(folder, 64, CPU, torch.float32))


def changed(bert: Bert, rank: int) -> dict[str, torch.Tensor]:
    """Layers whose weights differ from the encoder's by as many directions."""
    top = WholeLayers(bert, bert.layers, 1)
    dice = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in top.learned.values():
            if value.ndim == 1:
                value.add_(torch.randn(value.shape, generator=dice) * 0.1)
                continue
            left = torch.randn(value.shape[0], rank, generator=dice)
            value.add_(left @ torch.randn(rank, value.shape[1], generator=dice) * 0.1)
    return top.named()


def hidden(bert: Bert, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    top = make_top(tensors, bert, "here")
    assert top is not None
    texts = [np.array(ids, dtype=np.int32) for ids in ([2, 5, 6, 7, 3], [2, 9, 3])]
    batch = pack(texts, CPU)
    return bert.through(top.layers, bert.embed(batch), batch)


def test_a_change_of_that_rank_is_kept_whole(bert: Bert) -> None:
    tensors = changed(bert, 3)
    small = reduced(tensors, bert, 3)
    assert torch.allclose(hidden(bert, tensors), hidden(bert, small), atol=1e-4)
    assert sum(one.numel() for one in small.values()) < sum(one.numel() for one in tensors.values())


def test_less_is_nearer_the_more_is_kept(bert: Bert) -> None:
    tensors = changed(bert, WIDTH)
    change = tensors["layer.1.wide.weight"] - bert.layers[1].wide.weight

    def off(rank: int) -> float:
        small = reduced(tensors, bert, rank)
        near = small["adapter.1.wide.up"] @ small["adapter.1.wide.down"]
        return float((change - near).norm())

    assert off(1) > off(8) > off(24) > 0
    assert off(WIDTH) == pytest.approx(0, abs=1e-4)
