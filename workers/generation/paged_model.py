"""One forward pass of a causal language model over parts of several requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch

from workers.errors import ModelRefused
from workers.generation.paged_cache import Layout, PagedCache, Span

BLOCK_TOKENS: Final = 16
"""Tokens a block of the cache holds: a request wastes 15 of them at most."""
_CHECK_TOKENS: Final = 24
_TOLERANCE: Final = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 2e-1}
"""Largest difference of logits that rounding explains, as a part of their largest."""


class PagedModel:
    """A causal language model of transformers, with the cache that its requests share."""

    def __init__(self, network: Any, cache_tokens: int) -> None:
        """``cache_tokens`` are those of all requests together."""
        self.blocks = max(1, cache_tokens // BLOCK_TOKENS)
        self.device = torch.device(network.device)
        self._network = network
        layers = int(network.config.get_text_config().num_hidden_layers)
        self.cache = PagedCache(layers, self.blocks, BLOCK_TOKENS)

    @torch.inference_mode()
    def logits(self, spans: Sequence[Span]) -> torch.Tensor:
        """Run ``spans``; return the logits [spans, vocabulary] after the last token of each.

        Repeating a pass does no harm: it writes the same keys to the same places.
        """
        layout = Layout.of(spans, BLOCK_TOKENS, self.device)
        self.cache.layout = layout
        output = self._network(
            input_ids=layout.tokens,
            attention_mask=layout.mask,
            position_ids=layout.positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights and buffers, and the cache."""
        yield from self._network.parameters()
        yield from self._network.buffers()
        yield from self.cache.tensors()

    @torch.inference_mode()
    def check(self) -> None:
        """Compare a text read in parts, beside another one, with the same read at once.

        Makes the cache's tensors, too. Raises ModelRefused where the results differ: the
        model then attends in a way that this cache does not know.
        """
        vocabulary = int(self._network.config.get_text_config().vocab_size)
        tokens = [(7 * place + 3) % vocabulary for place in range(_CHECK_TOKENS)]
        blocks = list(range(1, min(self.blocks, 4) + 1))
        mine, other = blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]
        half = _CHECK_TOKENS // 2
        try:
            self.logits([Span(tokens[:half], 0, mine), Span(tokens[:3], 0, other)])
            found = self.logits([Span(tokens[3:5], 3, other), Span(tokens[half:], half, mine)])[1]
            whole = self._network(input_ids=torch.tensor([tokens], device=self.device)).logits
        except (TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
            raise ModelRefused(
                f"models of type {self._network.config.model_type!r} do not run over a paged "
                f"cache: {error}"
            ) from error
        wanted = whole[0, -1].float()
        difference = float((found.float() - wanted).abs().max() / wanted.abs().max())
        if not difference <= _TOLERANCE[self._network.dtype]:
            raise ModelRefused(
                f"models of type {self._network.config.model_type!r} do not run over a paged "
                f"cache: their logits are off by {difference:.1%}"
            )
