"""Tiny models with random weights in Hugging Face's layout, made in a moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

SENTENCES: Final = (
    "The parcel came on Monday, and everything in it was whole.",
    "Please write a short answer to the customer and thank her.",
    "Where is the nearest station, and when does the last train leave?",
    "Nobody at the counter could tell me why the order was late.",
    "我们昨天收到了您的来信，谢谢您的耐心。",
    "请把这段话翻译成英文，不要遗漏任何内容。",
    "今天天气很好，孩子们在公园里放风筝。",
    "图书馆八点开门，周日休息。",
)
"""What the tokenizers are trained on."""

PAD, START, END = 0, 1, 2
_SPECIAL: Final = ["<pad>", "<s>", "</s>"]
_VOCABULARY: Final = 420
_SPREAD: Final = 0.4
"""Standard deviation of the weights: wide, so that the likeliest token is clearly so."""

_SMALL: Final[Mapping[str, Any]] = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": _SPREAD,
}
DECODERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "llama": {**_SMALL, "tie_word_embeddings": False},
    "qwen2": {**_SMALL, "tie_word_embeddings": True},
    "gpt2": {
        "n_embd": 48,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 512,
        "initializer_range": _SPREAD,
    },
}
"""Settings of the decoder families by transformers' model type."""


_SMALL_PAIR: Final[Mapping[str, Any]] = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 128,
    "init_std": _SPREAD,
}
SEQ2SEQ: Final[Mapping[str, Mapping[str, Any]]] = {
    "marian": {**_SMALL_PAIR, "decoder_start_token_id": PAD, "forced_eos_token_id": END},
    "bart": {**_SMALL_PAIR, "decoder_start_token_id": END, "forced_eos_token_id": END},
    "t5": {
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 48,
        "num_layers": 1,
        "num_heads": 2,
        "initializer_factor": 8.0,
        "decoder_start_token_id": PAD,
    },
    "pegasus": {**_SMALL_PAIR, "decoder_start_token_id": PAD, "forced_eos_token_id": END},
}
"""Settings of the encoder-decoder families by transformers' model type."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: in models so small a second one only waits for the first."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=2)
def tokenizer_json(ends: bool) -> str:
    """Return a byte-level BPE tokenizer; where ``ends``, each text gets the end token."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", END)]
        )
    return tokenizer.to_str()


def save_decoder(folder: Path, family: str = "llama", **changes: Any) -> Path:
    """Write a random causal language model of ``family`` with its tokenizer."""
    config = _config(family, {**DECODERS.get(family, {}), **changes})
    return _save(folder, AutoModelForCausalLM, config, ends=False)


def save_seq2seq(folder: Path, family: str, **changes: Any) -> Path:
    """Write a random encoder-decoder model of ``family`` with its tokenizer."""
    config = _config(family, {**SEQ2SEQ[family], **changes})
    return _save(folder, AutoModelForSeq2SeqLM, config, ends=True)


def _config(family: str, settings: dict[str, Any]) -> Any:
    tokens = {"pad_token_id": PAD, "bos_token_id": START, "eos_token_id": END}
    return AutoConfig.for_model(family, **{"vocab_size": _VOCABULARY} | tokens | settings)


def _save(folder: Path, auto_class: Any, config: Any, ends: bool) -> Path:
    torch.manual_seed(5)
    folder.mkdir(parents=True, exist_ok=True)
    auto_class.from_config(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer_json(ends), encoding="utf-8")
    return folder


def load_seq2seq_network(folder: Path) -> Any:
    """Load what :func:`save_seq2seq` wrote with transformers alone."""
    return AutoModelForSeq2SeqLM.from_pretrained(folder).eval()


def load_decoder_network(folder: Path) -> Any:
    """Load what :func:`save_decoder` wrote with transformers alone."""
    return AutoModelForCausalLM.from_pretrained(folder).eval()


CHAT_TEMPLATES: Final[Mapping[str, str]] = {
    "qwen2": (
        "{%- if messages[0]['role'] != 'system' %}"
        "{{- '<|im_start|>system\\nBe of help.<|im_end|>\\n' }}{%- endif %}\n"
        "{%- for message in messages %}\n"
        "    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n"
        "{%- endfor %}\n"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
    ),
    "llama": (
        "{{ bos_token }}{% for message in messages %}"
        "{% if message['role'] == 'system' %}{{ raise_exception('no ' + message['content']) }}"
        "{% elif message['role'] == 'user' %}"
        "{{ '[INST] ' + message['content'] | trim + ' [/INST]' }}"
        "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
    ),
}
"""Chat templates in the manner of two families; one takes no system message."""


def save_chat_decoder(folder: Path, family: str, **changes: Any) -> Path:
    """Write a random decoder of ``family`` with a tokenizer and a chat template like its own."""
    save_decoder(folder, family, vocab_size=_VOCABULARY + 8, **changes)
    file = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(file))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": {"__type": "AddedToken", "content": "</s>", "special": True},
        "chat_template": CHAT_TEMPLATES[family],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
