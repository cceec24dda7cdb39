"""Encoders of any other architecture, run by the ``transformers`` library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import AutoModel

from workers.engines.packed import Packed
from workers.engines.pretrained import load_pretrained


class AutoTrunk:
    """An encoder as ``AutoModel`` loads it: from a local folder, safetensors only, no code."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """Load it; raises ModelRefused where the folder is incomplete or unsafe."""
        self._model = model = load_pretrained(AutoModel, folder, device, dtype)
        self._padding = int(model.config.pad_token_id or 0)
        self.width = int(model.config.hidden_size)
        self.vocabulary = int(model.config.vocab_size)
        self.most_tokens = int(model.config.max_position_embeddings)

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights and buffers."""
        yield from self._model.parameters()
        yield from self._model.buffers()

    def __call__(self, batch: Packed) -> torch.Tensor:
        """Return hidden states [tokens, width]; ``batch`` is on the device of the weights."""
        shape = (len(batch.starts), batch.longest)
        if batch.rectangle is None:
            ids, mask = batch.ids.view(shape), torch.ones(shape, device=batch.ids.device)
        else:
            mask = batch.rectangle.mask
            ids = batch.ids.index_select(0, batch.rectangle.cells).view(shape)
            ids = ids.masked_fill(~mask, self._padding)
        hidden = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        rows: torch.Tensor = hidden.reshape(-1, self.width)
        return rows if batch.rectangle is None else rows.index_select(0, batch.rectangle.rows)
