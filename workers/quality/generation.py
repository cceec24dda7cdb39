"""Measure the default decoder: perplexity beside an n-gram model of the same tokens."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, read_catalogue
from workers.engines.pretrained import content_revision, load_pretrained, load_tokenizer
from workers.quality.ngram_model import MOST, Ids, NgramModel
from workers.training.decoder.corpus import write_corpus
from workers.training.decoder.preprocessing import DEV, encoded
from workers.training.decoder.sets import SETS, documents_of_sets
from workers.training.decoder.shards import Shards, write_index, write_part

LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One language: what was read, and the loss of both models in nats a token."""

    documents: int
    tokens: int
    bytes: int
    decoder: float
    ngrams: float

    def bits_per_byte(self, loss: float) -> float:
        """A loss that models with other tokens can be compared by."""
        return loss * self.tokens / math.log(2) / self.bytes


def measure(data: Path) -> str:
    """The section on generation, as Markdown. Raises DataMissing where a set is not there."""
    entry = choose(read_catalogue(DEFAULT_CATALOGUE), "generation", None)
    folder = entry.model_folder
    network = load_pretrained(AutoModelForCausalLM, folder, torch.device("cpu"), torch.float32)
    with tempfile.TemporaryDirectory() as work:
        shards = tokens_of(data, load_tokenizer(folder), Path(work))
        found = measured(network, shards)
        trained = shards.parts["train"].tokens
    lines = [
        "## Generation",
        "",
        f"Model `{entry.name}`, revision `{content_revision(folder)}`, "
        f"{sum(one.numel() for one in network.parameters()):,} parameters, a demonstration. "
        "Perplexity a token of the dev parts of "
        + ", ".join(one.name for one in SETS)
        + f", without documents that are in both parts. The baseline is an interpolated "
        f"Kneser-Ney model of {MOST} tokens, counted over the same {trained:,} training tokens; it "
        "predicts the same positions. The decoder reads pieces that overlap by half. "
        "Bits a byte can be compared between tokenizers.",
        "",
        "| dev | documents | tokens | decoder perplexity | n-gram perplexity | "
        "decoder bits/byte | n-gram bits/byte |",
        "|---|---|---|---|---|---|---|",
    ]
    for language, one in found.items():
        lines.append(
            f"| {LANGUAGES[language]} | {one.documents:,} | {one.tokens:,} | "
            f"{math.exp(one.decoder):.1f} | {math.exp(one.ngrams):.1f} | "
            f"{one.bits_per_byte(one.decoder):.3f} | {one.bits_per_byte(one.ngrams):.3f} |"
        )
    lines += ["", "Goal: below the n-gram model."]
    return "\n".join(lines) + "\n"


def tokens_of(data: Path, tokenizer: Tokenizer, work: Path) -> Shards:
    """The documents of the sets as tokens of ``tokenizer``, in ``work``."""
    write_corpus(work, documents_of_sets(data), dev_share=0.0)
    parts = {"train": write_part(work, "train", encoded(tokenizer, work, "train", None))}
    for language in LANGUAGES:
        name = f"{DEV}{language}"
        parts[name] = write_part(work, name, encoded(tokenizer, work, "dev", language))
    write_index(work, parts, vocabulary=tokenizer.get_vocab_size())
    return Shards(work)


def measured(
    network: Any, shards: Shards, most: int | None = None, most_counted: int | None = None
) -> dict[str, Measured]:
    """Both models on each language's dev part, its first ``most`` tokens where that is given.

    N-grams are counted over the first ``most_counted`` tokens to train on.
    """
    context = int(network.config.max_position_embeddings)
    ngrams = NgramModel(
        list(_first(shards.read("train"), most_counted)), shards.facts["vocabulary"]
    )
    found = {}
    for name, part in shards.parts.items():
        if not name.startswith(DEV):
            continue
        dev = list(_first(shards.read(name), most))
        predicted = sum(len(shard) - 1 for shard in dev)
        tokens = sum(map(len, dev))
        found[name.removeprefix(DEV)] = Measured(
            part.documents,
            tokens,
            round(part.bytes * tokens / part.tokens),
            sum(sliding_loss(network, shard, context) for shard in dev) / predicted,
            sum(ngrams.loss(shard) for shard in dev) / predicted,
        )
    return found


def _first(shards: Sequence[Ids], most: int | None) -> Iterator[Ids]:
    """The first ``most`` tokens of all shards together, all of them where it is None."""
    left = sum(map(len, shards)) if most is None else most
    for shard in shards:
        if left > 1:
            yield shard[:left]
            left -= len(shard)


@torch.inference_mode()
def sliding_loss(network: Any, tokens: Ids, context: int) -> float:
    """Negative log-likelihood of all ``tokens`` but the first, in nats, summed.

    Pieces of ``context`` tokens overlap by half, and the second half of each is what is scored,
    so that a token has at least half a context before it where the text is that long.
    """
    total, step = 0.0, context // 2
    for start in range(0, len(tokens) - 1, step):
        piece = torch.from_numpy(tokens[start : start + context + 1].astype("int64"))
        logits = network(input_ids=piece[None, :-1]).logits[0].float()
        known = context - step if start else 0
        total += float(
            torch.nn.functional.cross_entropy(logits[known:], piece[1 + known :], reduction="sum")
        )
        if start + context >= len(tokens) - 1:
            break
    return total
