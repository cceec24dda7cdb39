"""Train the part-of-speech tables: ``python -m workers.training.tagging --data DIR --seed 7``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import save_file

from lepton_tasks.nlp.preprocessing import UPOS
from workers.engines.folder import CONFIG, WEIGHTS
from workers.tagging.chinese import ChineseWords
from workers.tagging.features import FEATURES, FEATURES_VERSION, Buckets, buckets_of
from workers.training.command import say, training_parser
from workers.training.datasets import DataMissing, DataSet, Row, require

DEFAULT_OUT: Final = Path(__file__).parents[1] / "models" / "tagger"
_FIELDS: Final = '{"tokens": […], "upos": […]}'
EWT: Final = DataSet(
    "pos_ewt",
    "https://github.com/UniversalDependencies/UD_English-EWT",
    "CC BY-SA 4.0",
    _FIELDS,
)
GSD_ZH: Final = DataSet(
    "pos_gsd_zh",
    "https://github.com/UniversalDependencies/UD_Chinese-GSDSimp",
    "CC BY-SA 4.0",
    _FIELDS,
)
_BATCH: Final = 128
_LIMIT: Final = 127


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one language's table is trained.

    ``dropped`` is the share of a word's features that it does without at each step.
    """

    data: DataSet
    buckets: int
    epochs: int
    rate: float
    dropped: float


RECIPES: Final = {
    "en": Recipe(EWT, buckets=1 << 17, epochs=5, rate=0.1, dropped=0.1),
    "zh": Recipe(GSD_ZH, buckets=1 << 15, epochs=8, rate=0.1, dropped=0.1),
}


@dataclass(frozen=True, slots=True)
class Table:
    """Trained weights [buckets, tags] and bias [tags], in whole numbers of one scale."""

    weights: torch.Tensor
    bias: torch.Tensor


def features_of(rows: Sequence[Row], language: str, buckets: int) -> Buckets:
    """Features of all words of ``rows``, in order."""
    chinese = ChineseWords() if language == "zh" else None
    return buckets_of(
        [[(word, chinese.kind(word) if chinese else "") for word in row["tokens"]] for row in rows],
        buckets,
    )


def fit(found: Buckets, tags: Sequence[str], recipe: Recipe, seed: int) -> Table:
    """Multinomial logistic regression by Adagrad, averaged over the later epochs, then rounded.

    Tags outside UPOS count as X. Runs on one thread and is the same for a seed.
    """
    torch.manual_seed(seed)
    wanted = torch.tensor([UPOS.index(tag if tag in UPOS else "X") for tag in tags])
    inputs = torch.from_numpy(found.astype(np.int64))
    bag = torch.nn.EmbeddingBag(recipe.buckets, len(UPOS), mode="sum", sparse=True)
    torch.nn.init.zeros_(bag.weight)
    bias = torch.nn.Parameter(torch.zeros(len(UPOS)))
    optimizer = torch.optim.Adagrad([bag.weight, bias], lr=recipe.rate)
    mean_weights, mean_bias = torch.zeros_like(bag.weight), torch.zeros_like(bias)
    first_averaged = recipe.epochs // 2
    torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]
    for epoch in range(recipe.epochs):
        for places in torch.split(torch.randperm(len(wanted)), _BATCH):
            kept = torch.rand(len(places), FEATURES) >= recipe.dropped
            scores = bag(inputs[places], per_sample_weights=kept / (1 - recipe.dropped)) + bias
            loss = torch.nn.functional.cross_entropy(scores, wanted[places])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if epoch >= first_averaged:
            share = 1 / (recipe.epochs - first_averaged)
            mean_weights += share * bag.weight.detach()
            mean_bias += share * bias.detach()
        say(f"epoch {epoch + 1} of {recipe.epochs}")
    scale = _LIMIT / max(float(mean_weights.abs().max()), 1e-9)
    return Table(
        (mean_weights * scale).round().to(torch.int8), (mean_bias * scale).round().to(torch.int32)
    )


def save(out: Path, tables: dict[str, Table], facts: dict[str, Any]) -> None:
    """Write ``model.safetensors`` and ``config.json`` as the tagger engine reads them."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for language, table in tables.items():
        tensors[f"{language}.weights"] = table.weights
        tensors[f"{language}.bias"] = table.bias
    save_file(tensors, out / WEIGHTS)
    config = {
        "features": FEATURES_VERSION,
        "languages": {
            language: {"buckets": table.weights.shape[0], "tags": list(UPOS)}
            for language, table in tables.items()
        },
        **facts,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (out / CONFIG).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = training_parser(
        "tagging",
        "Train the part-of-speech tables (English and Chinese) and write "
        "model.safetensors and config.json. Takes about a minute on one core.",
        [recipe.data for recipe in RECIPES.values()],
        DEFAULT_OUT,
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tables = {}
    try:
        require(chosen.data, {recipe.data for recipe in RECIPES.values()}, ["train"])
        for language, recipe in RECIPES.items():
            rows = recipe.data.rows(chosen.data, "train")
            say(f"{language}: {len(rows)} sentences")
            found = features_of(rows, language, recipe.buckets)
            tables[language] = fit(
                found, [tag for row in rows for tag in row["upos"]], recipe, chosen.seed
            )
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    save(
        chosen.out,
        tables,
        {
            "seed": chosen.seed,
            "data": {
                language: f"{recipe.data.name}, {recipe.data.licence}"
                for language, recipe in RECIPES.items()
            },
        },
    )
    say(f"written to {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
