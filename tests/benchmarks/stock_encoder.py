"""The same sentence encoder as its users write it: transformers' own model on padded texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from workers.engines.packed import TokenIds


class StockEncoder:
    """Mean pooling over ``AutoModel``; each batch is padded to its longest text."""

    def __init__(self, folder: Path, max_tokens: int, device: torch.device) -> None:
        self._device = device
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._model = (
            AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
            .to(device)
            .eval()
        )
        self.width = int(self._model.config.hidden_size)

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    @torch.inference_mode()
    def forward(self, batch: Sequence[TokenIds]) -> torch.Tensor:
        """Return float32 vectors [len(batch), width] of norm 1."""
        lengths = torch.tensor([len(ids) for ids in batch])
        padded = torch.zeros((len(batch), int(lengths.max())), dtype=torch.long)
        for row, ids in enumerate(batch):
            padded[row, : len(ids)] = torch.from_numpy(ids)
        mask = (torch.arange(padded.shape[1])[None, :] < lengths[:, None]).to(self._device)
        hidden = self._model(
            input_ids=padded.to(self._device), attention_mask=mask.long()
        ).last_hidden_state
        summed = (hidden * mask[:, :, None]).sum(dim=1)
        return torch.nn.functional.normalize(summed, dim=1)
