"""Logits over the paged cache are the model's own, whoever else is in the pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.models import DECODERS, load_decoder_network, save_decoder
from workers.errors import ModelRefused
from workers.generation.paged_cache import Span
from workers.generation.paged_model import BLOCK_TOKENS, PagedModel

TEXTS = [[(11 * place + start) % 400 for place in range(40 + 9 * start)] for start in range(3)]
BLOCKS = [[3, 1, 9, 5], [2, 8, 4, 10], [6, 7, 11, 12]]


@pytest.mark.parametrize("family", DECODERS)
def test_texts_read_in_parts_together_are_as_read_alone(tmp_path: Path, family: str) -> None:
    network = load_decoder_network(save_decoder(tmp_path, family))
    paged = PagedModel(load_decoder_network(tmp_path), 12 * BLOCK_TOKENS)
    at = [0, 0, 0]
    found = torch.zeros(3)
    for parts in ([7, 1, 20], [16, 30, 1], [1, 1, 1], [60, 60, 60]):
        spans = []
        for row, count in enumerate(parts):
            tokens = TEXTS[row][at[row] : at[row] + count]
            spans.append(Span(tokens, at[row], BLOCKS[row]))
            at[row] += len(tokens)
        found = paged.logits(spans)
    with torch.inference_mode():
        for row, text in enumerate(TEXTS):
            wanted = network(torch.tensor([text])).logits[0, -1]
            torch.testing.assert_close(found[row], wanted, atol=2e-4, rtol=1e-4)


def test_the_check_makes_the_whole_cache_and_passes(llama_folder: Path) -> None:
    paged = PagedModel(load_decoder_network(llama_folder), 100 * BLOCK_TOKENS)
    assert paged.cache.nbytes == 0
    paged.check()
    layers, heads, width, floats = 2, 2, 12, 4
    assert paged.cache.nbytes == 2 * layers * 101 * BLOCK_TOKENS * heads * width * floats


def test_a_request_full_of_nonsense_does_not_touch_another(llama_folder: Path) -> None:
    network = load_decoder_network(llama_folder)
    paged = PagedModel(network, 8 * BLOCK_TOKENS)
    fine = Span(TEXTS[0][:5], 0, [1])
    alone = paged.logits([fine])[0].clone()
    with torch.no_grad():
        network.get_input_embeddings().weight[399] = float("nan")
    broken = Span([399, 399], 0, [2])
    for _ in range(2):  # the second pass would read what the first left
        found = paged.logits([broken, fine])
        assert found[0].isnan().all()
        torch.testing.assert_close(found[1], alone)
    # Its blocks go to somebody else, who sees nothing of it.
    torch.testing.assert_close(paged.logits([Span(TEXTS[0][:5], 0, [2])])[0], alone)


def test_a_model_that_attends_otherwise_is_refused(tmp_path: Path) -> None:
    network = load_decoder_network(
        save_decoder(tmp_path, "bloom", hidden_size=48, n_head=4, n_layer=2)
    )
    with pytest.raises(ModelRefused, match="type 'bloom' do not run over a paged cache"):
        PagedModel(network, 8 * BLOCK_TOKENS).check()
