"""A decoder model from a local folder: weights, tokenizer, ends of texts, longest text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.chat import ChatInput
from lepton_tasks.nlp.grounding import Role
from workers.engines.base import Encoded
from workers.engines.pretrained import content_revision, load_pretrained, load_tokenizer
from workers.errors import InputRefused, ModelRefused
from workers.generation.chat_prompts import ChatPrompts, load_chat_prompts
from workers.generation.chat_template import CHAT_FILES
from workers.generation.limits import GenerationLimits
from workers.generation.paged_model import BLOCK_TOKENS, PagedModel

logger = logging.getLogger(__name__)

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DecoderModel:
    """A loaded model. ``ends`` are the tokens that end a text, ``context`` its most tokens.

    ``chats`` makes prompts of dialogues, None where the model is for texts alone.
    """

    name: str
    revision: str
    paged: PagedModel
    tokenizer: Tokenizer
    ends: frozenset[int]
    context: int
    chats: ChatPrompts | None = None

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Token ids of each prompt, in order; ``length`` is their number.

        Raises:
            InputRefused: one is a dialogue that the model cannot take.
        """
        found: list[Sequence[int] | None] = [
            self._chat(one.messages) if isinstance(one, ChatInput) else None for one in inputs
        ]
        texts = [one.text for one, ids in zip(inputs, found, strict=True) if ids is None]
        encoded = iter(self.tokenizer.encode_batch_fast(texts) if texts else ())
        prompts = [next(encoded).ids if ids is None else ids for ids in found]
        return [Encoded(len(ids), ids) for ids in prompts]

    def _chat(self, messages: Sequence[tuple[Role, str]]) -> Sequence[int]:
        if self.chats is None:
            raise InputRefused("no_chat_template", f"the model {self.name} is not served for chat")
        return self.chats.ids(messages)


def load_decoder(
    name: str,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    limits: GenerationLimits,
    *,
    chat: bool = False,
) -> DecoderModel:
    """Load the causal language model in ``folder`` and prove that it runs over a paged cache.

    The whole cache is there afterwards: memory does not grow with the work. A model for
    ``chat`` needs a chat template. Raises ModelRefused where the folder is incomplete or
    unsafe, or the model cannot be run this way.
    """
    tokenizer = load_tokenizer(folder)
    chats = load_chat_prompts(folder, tokenizer) if chat else None
    network = load_pretrained(AutoModelForCausalLM, folder, device, dtype)
    config = network.config.get_text_config()
    if tokenizer.get_vocab_size(with_added_tokens=True) > int(config.vocab_size):
        raise ModelRefused(
            f"{folder}: the tokenizer knows {tokenizer.get_vocab_size():,} tokens and the model "
            f"{config.vocab_size:,}; they do not belong together"
        )
    paged = PagedModel(network, limits.cache_tokens)
    paged.check()
    model = DecoderModel(
        name,
        content_revision(folder, CHAT_FILES if chat else ()),
        paged,
        tokenizer,
        _ends(network),
        min(_context(config, limits.context, folder), paged.blocks * BLOCK_TOKENS),
        chats,
    )
    logger.info(
        "%s: %d tokens of cache take %d MB; a request may have %d",
        name,
        limits.cache_tokens,
        paged.cache.nbytes // _MEGABYTE,
        model.context,
    )
    return model


def _ends(network: Any) -> frozenset[int]:
    """Tokens that end a text: of generation_config.json, else of config.json; maybe none."""
    tokens = network.generation_config.eos_token_id
    if tokens is None:
        tokens = network.config.get_text_config().eos_token_id
    if tokens is None:
        return frozenset()
    return frozenset([tokens] if isinstance(tokens, int) else map(int, tokens))


def _context(config: Any, asked: int, folder: Path) -> int:
    """Most tokens of a request, so that each layer sees all of them and positions are exact.

    Layers with a sliding window equal full ones up to the window; longrope changes its
    frequencies, for a whole batch, beyond the length it was trained with.
    """
    limits = [asked] if asked else []
    limits.append(getattr(config, "max_position_embeddings", 0) or 0)
    limits.append(getattr(config, "sliding_window", 0) or 0)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        limits.append(rope.get("original_max_position_embeddings", 0) or 0)
    known = [limit for limit in limits if limit]
    if not known:
        raise ModelRefused(
            f"{folder}: its config does not say how long a text may be; set options.context"
        )
    return min(known)
