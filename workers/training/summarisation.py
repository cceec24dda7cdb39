"""Train the default sentence picker: ``python -m workers.training.summarisation --data DIR``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import save

from lepton_tasks.nlp.sentences import split_sentences
from workers.engines.folder import CONFIG, WEIGHTS
from workers.features.sentences import NAMES, sentence_features
from workers.training.command import training_parser
from workers.training.datasets import DataMissing, DataSet, Row, require
from workers.training.listwise import Floats, fit_listwise, softened
from workers.training.rouge import best_rouge_1

SCITLDR = DataSet(
    "sum_scitldr",
    "https://github.com/allenai/scitldr",
    "Apache-2.0",
    '{"text": …, "summary": …, "other_references": […]}',
)
CSL = DataSet(
    "sum_csl_zh", "https://github.com/ydli-ai/CSL", "Apache-2.0", '{"text": …, "summary": …}'
)
SOURCES: Final[Mapping[str, DataSet]] = {"en": SCITLDR, "zh": CSL}

DEFAULT_OUT = Path(__file__).parent.parent / "models" / "summarisation"
FACTS = {"task": "summarisation", "engine": "sentence-picker", "fallback_language": "en"}
_TEMPERATURE = 0.1
"""ROUGE-1 by which the best sentence must lead for another to count a third as much."""
_STRENGTH = 10.0


def references(row: Row) -> list[str]:
    """All summaries that people wrote for a row's text."""
    return [row["summary"], *row.get("other_references", [])]


def train(rows: Sequence[Row], language: str) -> Floats:
    """Weights [len(NAMES)] for the texts of ``rows``, at least one with two sentences."""
    lists, targets = [], []
    for row in rows:
        text = row["text"]
        spans = split_sentences(text)
        if len(spans) < 2:
            continue
        gains = [best_rouge_1(text[start:end], references(row)) for start, end in spans]
        lists.append(sentence_features(text, spans, language).astype(np.float64))
        targets.append(softened(np.array(gains), _TEMPERATURE))
    return fit_listwise(lists, targets, _STRENGTH)


def save_folder(out: Path, weights: Mapping[str, Floats], facts: Mapping[str, Any]) -> None:
    """Write ``config.json`` and ``model.safetensors`` for the sentence-picker engine."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{language}.weights": torch.from_numpy(values).float()
        for language, values in weights.items()
    }
    (out / WEIGHTS).write_bytes(save(tensors))
    config = {**facts, "languages": list(weights), "features": list(NAMES)}
    text = json.dumps(config, ensure_ascii=False, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = training_parser(
        "summarisation",
        "Train the default picker of sentences (English and Chinese) and write "
        "model.safetensors and config.json. Takes half a minute on one core.",
        SOURCES.values(),
        DEFAULT_OUT,
    )
    chosen = parser.parse_args(arguments)
    try:
        require(chosen.data, SOURCES.values(), ["train"])
        weights = {
            language: train(source.rows(chosen.data, "train"), language)
            for language, source in SOURCES.items()
        }
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    save_folder(chosen.out, weights, {**FACTS, "seed": chosen.seed})
    print(f"written to {chosen.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
