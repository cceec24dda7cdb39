"""Train the default moderation model: ``python -m workers.training.moderation --data DIR``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from lepton_tasks.nlp.clean import clean_text
from workers.engines.encoder import SentenceEncoder
from workers.features.ngrams import NgramSpec
from workers.training.command import say, training_parser
from workers.training.datasets import DataMissing, require
from workers.training.heads import calibrated_head, fit_head, save_folder
from workers.training.linear import Linear, View, hashed
from workers.training.moderation_recipe import (
    ENCODED_LANGUAGES,
    HEADS,
    POOLED_HATE_HEAD,
    SOURCES,
    SPECS,
    Labelled,
    gather,
)
from workers.training.vectors import Report, default_encoder, encode_all

DEFAULT_OUT = Path(__file__).parent.parent / "models" / "moderation"
FACTS = {"task": "moderation", "engine": "text-classifier", "fallback_language": "en"}


def make_view(
    examples: Sequence[Labelled],
    language: str,
    encoder: SentenceEncoder | None,
    cache: Path | None,
    specs: Mapping[str, NgramSpec] = SPECS,
) -> View:
    """Features of ``examples``; vectors only in the languages that the encoder knows."""
    texts = [one.text for one in examples]
    dense = None
    if encoder is not None and language in ENCODED_LANGUAGES:
        with _progress(f"encoding {len(texts)} texts") as report:
            dense = encode_all(encoder, texts, cache, report)
    return View(hashed(texts, specs[language]), dense)


def train(
    by_language: Mapping[str, Sequence[Labelled]],
    encoder: SentenceEncoder | None,
    seed: int,
    cache: Path | None = None,
    specs: Mapping[str, NgramSpec] = SPECS,
) -> dict[str, dict[str, Linear]]:
    """Train every head of every language; the heads by language and category."""
    trained: dict[str, dict[str, Linear]] = {}
    for language, recipes in HEADS.items():
        examples = by_language[language]
        say(f"{language}: {len(examples)} texts")
        view = make_view(examples, language, encoder, cache, specs)
        pooled = None
        if any(recipe.pooled_share for recipe in recipes):
            pooled = fit_head(POOLED_HATE_HEAD, examples, view, None, seed)
        trained[language] = {}
        for recipe in recipes:
            began = time.monotonic()
            head = calibrated_head(recipe, examples, view, pooled, seed)
            trained[language][recipe.category] = head
            say(f"{language}: {recipe.category} trained in {time.monotonic() - began:.1f} s")
    return trained


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = training_parser(
        "moderation",
        "Train the default moderation model (English and Chinese) and write "
        "model.safetensors and config.json. Takes some ten minutes on one core.",
        [source.data for source in SOURCES],
        DEFAULT_OUT,
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FILE.npz", help="keep encoder vectors here between runs"
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        require(chosen.data, {source.data for source in SOURCES}, ["train"])
        by_language = gather(chosen.data, "train", clean_text)
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    heads = train(by_language, default_encoder("moderation"), chosen.seed, chosen.cache)
    save_folder(chosen.out, heads, SPECS, {**FACTS, "seed": chosen.seed})
    say(f"written to {chosen.out}")
    return 0


@contextmanager
def _progress(label: str) -> Iterator[Report]:
    """A bar on the terminal (nothing but the last state where there is none)."""
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label)
        yield lambda done, total: bar.update(task, completed=done, total=total)


if __name__ == "__main__":
    sys.exit(main())
