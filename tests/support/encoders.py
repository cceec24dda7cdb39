"""Small random models on disk: an encoder, and heads over it, that load in milliseconds."""

from __future__ import annotations

import json
import string
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

WIDTH = 32
LAYERS = 2
BUCKETS = 1 << 10
_WIDE = 48
_POSITIONS = 128
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_encoder(folder: Path, seed: int = 1, spare_words: int = 0) -> Path:
    """Make a BERT of two narrow layers that reads letters; ``spare_words`` make it larger.

    A spare word takes 128 bytes.
    """
    folder.mkdir(parents=True)
    vocabulary = [
        *_SPECIAL,
        *string.ascii_lowercase,
        *(f"##{one}" for one in string.ascii_lowercase),
    ]
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
    tokenizer = Tokenizer(
        WordPiece({word: place for place, word in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


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
