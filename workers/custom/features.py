"""What classifiers see of texts: hashed n-grams, and vectors of an encoder or of tuned layers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch

from lepton_tasks.nlp.base import ModelInput
from workers.custom.rows import Row
from workers.engines.encoder import SentenceEncoder
from workers.engines.packed import pack
from workers.engines.text_classifier import TextClassifier
from workers.engines.trunk import States
from workers.engines.tuned import TunedTop, make_top
from workers.features.ngrams import NgramSpec, bags
from workers.longruns.child import RunFailed
from workers.training.upper_layers import bert_of, lower_states

Report = Callable[[float], None]
"""Is told which share is done."""

MOST_TOKENS: Final = 2_000_000
"""Whose states are held at once: about 1.5 GB for an encoder of width 384."""
_AT_ONCE: Final = 64
_HASHED_AT_ONCE: Final = 512


def ngrams(texts: Sequence[str], spec: NgramSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights [texts, columns] of the n-grams as float64 CSR, and the bucket of each column.

    Only buckets that some text falls into have a column.
    """
    parts = [
        bags(texts[start : start + _HASHED_AT_ONCE], spec)
        for start in range(0, len(texts), _HASHED_AT_ONCE)
    ]
    indices = np.concatenate([part.indices for part in parts])
    values = np.concatenate([part.weights for part in parts])
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    buckets, columns = np.unique(indices, return_inverse=True)
    rows = np.concatenate([[0], np.cumsum(counts)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that CSR is in beta
        found = torch.sparse_csr_tensor(
            torch.from_numpy(rows),
            torch.from_numpy(columns.astype(np.int64)),
            torch.from_numpy(values.astype(np.float64)),
            (len(texts), len(buckets)),
        )
    return found, torch.from_numpy(buckets.astype(np.int64))


def vectors(
    encoder: SentenceEncoder,
    texts: Sequence[str],
    upper: Mapping[str, torch.Tensor],
    report: Report,
) -> torch.Tensor:
    """Vectors [texts, width], float64, of the encoder or of the tuned layers ``upper``."""
    top = top_of(encoder, upper)
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found = torch.zeros(len(texts), encoder.width, dtype=torch.float64)
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        own = [texts[row] for row in rows]
        with torch.no_grad():
            if top is None:
                made = encoder.forward(encoder.tokenize(own))
            else:
                bert, batch = bert_of(encoder), pack(encoder.tokenize(own), encoder.trunk.device)
                hidden = bert.through(top.layers, bert.embed(batch), batch)
                made = States(hidden, batch.starts).vectors
        found[rows] = made.double()
        report((start + len(rows)) / len(order))
    return found


def states(
    encoder: SentenceEncoder, texts: Sequence[str], first: int, report: Report
) -> list[torch.Tensor]:
    """Hidden states that layer ``first`` gets of each text.

    Raises:
        RunFailed: there are too many to be held.
    """
    found: list[torch.Tensor] = []
    tokens = 0
    for start in range(0, len(texts), _AT_ONCE):
        found += lower_states(encoder, texts[start : start + _AT_ONCE], first, _silent)
        tokens += sum(len(one) for one in found[start:])
        if tokens > MOST_TOKENS:
            raise RunFailed(
                "too_many_rows",
                f"tuning layers takes {MOST_TOKENS:,} tokens at most, and the first "
                f"{start + _AT_ONCE:,} rows have more; send fewer, or take ngram-head or "
                "encoder-head",
            )
        report(len(found) / len(texts))
    return found


def log_scores(engine: TextClassifier, rows: Sequence[Row], report: Report) -> torch.Tensor:
    """Logarithms [rows, labels] of the scores that a classifier gives, float64.

    All rows are of languages that have the same labels, in the order of the first one's.
    """
    labels = engine.heads_of(rows[0].language).labels
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        raw = engine.forward(engine.tokenize([ModelInput(row.text, row.language) for row in part]))
        found += [[max(scores[label], 1e-12) for label in labels] for scores in raw]
        report(len(found) / len(rows))
    return torch.tensor(found, dtype=torch.float64).log()


def top_of(encoder: SentenceEncoder, upper: Mapping[str, torch.Tensor]) -> TunedTop | None:
    """The layers that ``upper``, named as in a model folder, make; None where it is empty."""
    return make_top(upper, encoder.trunk.architecture, "the base")


def first_layer(upper: Mapping[str, torch.Tensor]) -> int:
    """The lowest layer that ``upper``, named as in a model folder, tune."""
    return min(int(name.split(".")[1]) for name in upper)


def rank_of(adapters: Mapping[str, torch.Tensor]) -> int:
    """Their rank."""
    return min(min(one.shape) for one in adapters.values())


def _silent(line: str) -> None:
    """The share that is done is told instead."""
