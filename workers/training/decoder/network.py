"""The network and its folder: an ordinary Hugging Face model of one of two families."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, get_args

import torch
from tokenizers import Tokenizer
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.utils.logging import disable_progress_bar

from workers.engines.pretrained import TOKENIZER
from workers.training.decoder.files import write_json
from workers.training.decoder.shards import Shards
from workers.training.decoder.tokenizer import END, END_ID, PAD, PAD_ID, START, START_ID

Family = Literal["llama", "qwen2"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
_CLASSES: Final[dict[Family, tuple[Any, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
}
HEAD_WIDTH: Final = 32
_INNER: Final = 16
"""The inner width is a multiple of it, near 8/3 of the width."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a network is. ``width`` is a multiple of 32, the width of a head."""

    family: Family = "llama"
    width: int = 160
    layers: int = 3
    context: int = 512

    def build(self, vocabulary: int, seed: int) -> Any:
        """Make the network with random weights; input and output share one embedding."""
        config_class, network_class = _CLASSES[self.family]
        config = config_class(
            vocab_size=vocabulary,
            hidden_size=self.width,
            intermediate_size=round(self.width * 8 / 3 / _INNER) * _INNER,
            num_hidden_layers=self.layers,
            num_attention_heads=self.width // HEAD_WIDTH,
            num_key_value_heads=self.width // HEAD_WIDTH,
            max_position_embeddings=self.context,
            tie_word_embeddings=True,
            bos_token_id=START_ID,
            eos_token_id=END_ID,
            pad_token_id=PAD_ID,
        )
        torch.manual_seed(seed)
        return network_class(config)


def save_model(folder: Path, network: Any, tokenizer: Tokenizer) -> None:
    """Write ``network``, in half precision, and its tokenizer as transformers reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    network.generation_config = GenerationConfig(
        bos_token_id=START_ID, eos_token_id=END_ID, pad_token_id=PAD_ID
    )
    disable_progress_bar()
    network.half().save_pretrained(folder)
    tokenizer.save(str(folder / TOKENIZER), pretty=False)
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": network.config.max_position_embeddings,
            "clean_up_tokenization_spaces": False,
            "bos_token": START,
            "eos_token": END,
            "pad_token": PAD,
            "unk_token": PAD,  # never needed; without one, the class of a family adds its own
        },
    )


@torch.inference_mode()
def dev_loss(
    network: Any, shards: Shards, name: str, context: int, batch: int, most: int | None = None
) -> float:
    """Mean negative log-likelihood, in nats a token, of the part ``name``.

    Where ``most`` is given, that of so many pieces at most, spread over the part.
    """
    total = count = 0.0
    for tokens in _batches(shards, name, context, batch, most):
        logits = network(input_ids=tokens[:, :-1]).logits.float()
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum"
        )
        total += float(losses)
        count += tokens[:, 1:].numel()
    return total / count


def _batches(
    shards: Shards, name: str, context: int, batch: int, most: int | None
) -> Iterator[torch.Tensor]:
    """Pieces of equal length, ``batch`` of them at a time, int64 [pieces, tokens]."""
    held: list[torch.Tensor] = []
    pieces = shards.parts[name].tokens // context + 1
    every = 1 if most is None else max(1, -(-pieces // most))
    for window in islice(shards.windows(name, context + 1), 0, None, every):
        tokens = torch.from_numpy(window.astype("int64"))
        if held and (len(held) == batch or len(tokens) != len(held[0])):
            yield torch.stack(held)
            held = []
        held.append(tokens)
    if held:
        yield torch.stack(held)
