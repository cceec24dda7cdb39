"""Train the default translator: ``python -m workers.training.translation --data DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from transformers import GenerationConfig, MarianConfig, MarianMTModel

from workers.features.han import simplified_characters
from workers.training.datasets import TATOEBA, DataMissing, Row, require
from workers.training.seq2seq_fit import Fit, Plan, TokenPair
from workers.training.shared_vectors import share_vectors
from workers.training.translation_vocabulary import (
    END,
    PAD,
    UNKNOWN,
    special_tokens,
    target_token,
    train_tokenizer,
)

DEFAULT_OUT = Path(__file__).parent.parent / "models" / "translation"
DEFAULT_SEED = 7
PLAN: Final = Plan(epochs=20, cooling=5)
PIECES: Final = 5000
CHARACTERS: Final = 2060
_SHARE: Final = 0.5
"""Of the square of a first vector, what comes from the words that a token occurs with."""
_DEV_PAIRS: Final = 500
"""Pairs of dev, read both ways, by which the best epoch is chosen."""
_SHAPE: Final[Mapping[str, Any]] = {
    "d_model": 192,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 512,
    "decoder_ffn_dim": 512,
    "max_position_embeddings": 256,
}


def sides(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """English and simplified Chinese of each row, as the tokenizer takes them."""
    simplified = simplified_characters()
    return [(" " + row["en"].strip(), row["zh"].strip().translate(simplified)) for row in rows]


def token_pairs(texts: Sequence[tuple[str, str]], tokenizer: Any) -> list[TokenPair]:
    """Both directions of every pair; the source begins with the token of its target."""
    english = [one.ids for one in tokenizer.encode_batch([en for en, _ in texts])]
    chinese = [one.ids for one in tokenizer.encode_batch([zh for _, zh in texts])]
    to_zh, to_en = (tokenizer.token_to_id(target_token(one)) for one in ("zh", "en"))
    pairs = zip(english, chinese, strict=True)
    return [
        one
        for en, zh in pairs
        for one in (TokenPair([to_zh, *en], zh), TokenPair([to_en, *zh], en))
    ]


def new_network(tokenizer: Any, shape: Mapping[str, Any] = _SHAPE) -> Any:
    """A Marian model with random weights for the pieces of ``tokenizer``."""
    pad, end = tokenizer.token_to_id(PAD), tokenizer.token_to_id(END)
    config = MarianConfig(
        vocab_size=tokenizer.get_vocab_size(),
        dropout=0.15,
        attention_dropout=0.0,
        activation_dropout=0.0,
        activation_function="swish",
        scale_embedding=True,
        init_std=0.05,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
        pad_token_id=pad,
        eos_token_id=end,
        decoder_start_token_id=pad,
        forced_eos_token_id=end,
        **shape,
    )
    network = MarianMTModel(config)
    for side in (network.model.encoder, network.model.decoder):
        side.embed_positions.weight.requires_grad_(False)  # sines, which no folder holds
    network.generation_config = GenerationConfig(
        pad_token_id=pad,
        eos_token_id=end,
        decoder_start_token_id=pad,
        forced_eos_token_id=end,
        bad_words_ids=[[pad], [tokenizer.token_to_id(UNKNOWN)]],
    )
    return network


def save_folder(
    out: Path, network: Any, weights: Mapping[str, torch.Tensor], tokenizer: Any
) -> None:
    """Write a Marian folder with ``weights`` in half precision and a ``tokenizer.json``."""
    out.mkdir(parents=True, exist_ok=True)
    saved = MarianMTModel(network.config)
    saved.generation_config = network.generation_config
    with torch.no_grad():
        for name, one in saved.named_parameters():
            one.copy_(weights[name])
    saved.half().save_pretrained(out)
    (out / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.training.translation",
        description="Train the default translator (English and Chinese, both ways) and write "
        "model.safetensors, config.json and tokenizer.json. Takes about 35 minutes of one core.",
        epilog=f"Data set wanted under DIR: {TATOEBA.name}/train.jsonl and dev.jsonl, "
        f"lines {TATOEBA.fields}",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="model folder (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of weights and order")
    parser.add_argument(
        "--epochs", type=int, default=PLAN.epochs, help="passes over the data (%(default)s)"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="where an interrupted run is kept after each epoch, and goes on from",
    )
    chosen = parser.parse_args(arguments)
    try:
        require(chosen.data, [TATOEBA], ["train", "dev"])
        train, dev = (sides(TATOEBA.rows(chosen.data, part)) for part in ("train", "dev"))
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)
    languages = ("en", "zh")
    texts = (text for pair in train for text in pair)
    tokenizer = train_tokenizer(texts, languages, PIECES, CHARACTERS)
    network = new_network(tokenizer)
    pairs = token_pairs(train, tokenizer)
    share_vectors(
        network.get_input_embeddings().weight,
        [[*pair.source, *pair.target] for pair in pairs[::2]],
        unlike=len(special_tokens(languages)),
        share=_SHARE,
    )
    plan = replace(PLAN, epochs=chosen.epochs)
    best = Fit(network, plan, chosen.seed, chosen.state).run(
        pairs,
        token_pairs(dev[:_DEV_PAIRS], tokenizer),
        lambda weights: save_folder(chosen.out, network, weights, tokenizer),
    )
    print(f"written to {chosen.out}; loss a token on dev {best:.3f}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
