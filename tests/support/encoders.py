"""Small random models on disk: an encoder, and heads over it, that load in milliseconds."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

WIDTH = 32
LAYERS = 2
BUCKETS = 1 << 10
FAMILIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "bert": {},
    "roberta": {"type_vocab_size": 1},
    "xlm-roberta": {"type_vocab_size": 1},
    "deberta-v2": {
        "type_vocab_size": 0,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_buckets": 16,
    },
}
"""Encoder families of :func:`write_checkpoint` by transformers' model type."""
_WIDE = 48
_POSITIONS = 128
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_encoder(folder: Path, seed: int = 1, spare_words: int = 0) -> Path:
    """Make a BERT of two narrow layers that reads letters; ``spare_words`` make it larger.

    A spare word takes 128 bytes.
    """
    folder.mkdir(parents=True)
    vocabulary = _vocabulary()
    words = len(vocabulary) + spare_words
    config = {
        "model_type": "bert",
        "hidden_size": WIDTH,
        "num_attention_heads": 4,
        "num_hidden_layers": LAYERS,
        "intermediate_size": _WIDE,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": _POSITIONS,
        "vocab_size": words,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "embeddings.word_embeddings.weight": (words, WIDTH),
        "embeddings.position_embeddings.weight": (_POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **_linear("embeddings.LayerNorm", WIDTH),
    }
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{prefix}attention.self.{part}", WIDTH, WIDTH)
        shapes |= _linear(f"{prefix}attention.output.dense", WIDTH, WIDTH)
        shapes |= _linear(f"{prefix}attention.output.LayerNorm", WIDTH)
        shapes |= _linear(f"{prefix}intermediate.dense", _WIDE, WIDTH)
        shapes |= _linear(f"{prefix}output.dense", WIDTH, _WIDE)
        shapes |= _linear(f"{prefix}output.LayerNorm", WIDTH)
    save_file(
        {name: torch.randn(shape, generator=generator) * 0.4 for name, shape in shapes.items()},
        folder / "model.safetensors",
    )
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    return folder


def write_checkpoint(
    folder: Path, auto_class: Any, family: str = "bert", seed: int = 1, **settings: Any
) -> Path:
    """Write a small random checkpoint as ``auto_class`` of transformers saves one.

    It reads letters, and a few Chinese words; ``settings`` go into its config.
    """
    from transformers import AutoConfig  # two seconds, which most users of this module save

    vocabulary = [*_vocabulary(), *"今天气很好茶不喝我"]
    config = AutoConfig.for_model(
        family,
        hidden_size=WIDTH,
        num_attention_heads=4,
        num_hidden_layers=LAYERS,
        intermediate_size=_WIDE,
        **{
            "max_position_embeddings": _POSITIONS,
            "vocab_size": len(vocabulary),
            "pad_token_id": 0,
            "initializer_range": 0.4,
            **FAMILIES[family],
            **settings,
        },
    )
    torch.manual_seed(seed)
    auto_class.from_config(config).save_pretrained(folder)
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    return folder


def _vocabulary() -> list[str]:
    letters = string.ascii_lowercase
    return [*_SPECIAL, *letters, *(f"##{one}" for one in letters)]


def _tokenizer(vocabulary: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(
        WordPiece({word: place for place, word in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def write_heads(folder: Path, seed: int = 1, labels: tuple[str, ...] = ("toxicity",)) -> Path:
    """Make heads in English, over an encoder, and in Chinese, without one."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    languages = {}
    for language, encoder in (("en", True), ("zh", False)):
        tensors[f"{language}.bag"] = torch.randn(BUCKETS, len(labels), generator=generator)
        tensors[f"{language}.bias"] = torch.randn(len(labels), generator=generator)
        if encoder:
            tensors[f"{language}.dense"] = torch.randn(WIDTH, len(labels), generator=generator)
        languages[language] = {
            "labels": labels,
            "buckets": BUCKETS,
            "characters": [1, 3],
            "words": [1, 1],
            "encoder": encoder,
        }
    save_file(tensors, folder / "model.safetensors")
    config = {"fallback_language": "en", "languages": languages}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def table(name: str, heads: Path, encoder: Path, *, default: bool = False) -> str:
    """A catalogue's table for a moderation model."""
    return (
        f'[{name}]\ntask = "moderation"\ndefault = {str(default).lower()}\n'
        f'engine = "text-classifier"\nfolder = "{heads}"\nencoder_folder = "{encoder}"\n'
        "max_tokens = 64\n\n"
    )


def _linear(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
