"""From labelled texts and a recipe to one calibrated head, and from heads to a model folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save

from workers.engines.folder import CONFIG, WEIGHTS
from workers.features.ngrams import NgramSpec
from workers.training.linear import Floats, Linear, View, fit, folds, slope, tuned_threshold
from workers.training.moderation_recipe import BENIGN, HeadRecipe, Labelled

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows one head learns from: where they are, what they are, how much each counts.

    ``own`` marks rows whose label the data set states; the others only stand in
    as negatives, and thresholds are never tuned on them.
    """

    rows: npt.NDArray[np.int64]
    truth: npt.NDArray[np.bool_]
    weights: Floats
    own: npt.NDArray[np.bool_]
    sources: npt.NDArray[np.str_]


def sample(recipe: HeadRecipe, examples: Sequence[Labelled]) -> Sample:
    """Choose and weigh the rows of ``examples`` that ``recipe`` learns from."""
    rows, truth, weights, own = [], [], [], []
    for row, one in enumerate(examples):
        stated = one.source in recipe.sources and recipe.category in one.labels
        if stated:
            weight = 1.0
        elif one.source in recipe.sources:
            weight = recipe.unknown_weight
        else:
            weight = recipe.benign_weight if one.source in BENIGN else 0.0
        if weight > 0:
            rows.append(row)
            truth.append(stated and one.labels[recipe.category])
            weights.append(weight)
            own.append(stated)
    sources = np.array([examples[row].source for row in rows])
    found = Sample(
        np.array(rows, dtype=np.int64),
        np.array(truth, dtype=np.bool_),
        np.array(weights),
        np.array(own, dtype=np.bool_),
        sources,
    )
    if recipe.balanced:
        _balance(found)
    return found


def _balance(found: Sample) -> None:
    cells = [
        found.own & (found.sources == source) & (found.truth == value)
        for source in np.unique(found.sources[found.own])
        for value in (False, True)
    ]
    mean = found.own.sum() / len(cells)
    for cell in cells:
        if cell.any():
            found.weights[cell] = mean / cell.sum()


def fit_head(
    recipe: HeadRecipe,
    examples: Sequence[Labelled],
    view: View,
    pooled: Linear | None,
    seed: int,
) -> Linear:
    """Train the head of ``recipe``; its threshold is still wherever it fell."""
    chosen = sample(recipe, examples)
    head = fit(view.take(chosen.rows), chosen.truth, chosen.weights, seed)
    return _mixed(head, recipe, pooled)


def calibrated_head(
    recipe: HeadRecipe,
    examples: Sequence[Labelled],
    view: View,
    pooled: Linear | None,
    seed: int,
) -> Linear:
    """Train the head of ``recipe`` so that a logit of 0 is its tuned threshold.

    Slope and threshold come from out-of-fold logits on the training rows, so
    neither has seen the text it is judged on.
    """
    chosen = sample(recipe, examples)
    part = view.take(chosen.rows)
    logits = np.zeros(chosen.rows.size)
    for train, test in folds(chosen.truth, _FOLDS, seed):
        head = fit(part.take(train), chosen.truth[train], chosen.weights[train], seed)
        logits[test] = _mixed(head, recipe, pooled).logits(part.take(test))
    groups = [
        chosen.own & (chosen.sources == source) for source in np.unique(chosen.sources[chosen.own])
    ]
    at = tuned_threshold(logits, chosen.truth, groups)
    own = chosen.own
    steep = slope(logits[own], chosen.truth[own], chosen.weights[own])
    return fit_head(recipe, examples, view, pooled, seed).scaled(steep, -steep * at)


def _mixed(head: Linear, recipe: HeadRecipe, pooled: Linear | None) -> Linear:
    if pooled is None or not recipe.pooled_share:
        return head
    return head.plus(pooled, recipe.pooled_share)


def save_folder(
    out: Path,
    heads: Mapping[str, Mapping[str, Linear]],
    specs: Mapping[str, NgramSpec],
    facts: Mapping[str, Any],
) -> None:
    """Write ``config.json`` and ``model.safetensors`` for the text-classifier engine.

    ``facts`` go into the config as they are. N-gram weights are stored as
    float16, all else as float32.
    """
    tensors: dict[str, torch.Tensor] = {}
    languages: dict[str, Any] = {}
    for language, by_label in heads.items():
        every = list(by_label.values())
        bag = np.stack([head.bag for head in every], axis=1)
        tensors[f"{language}.bag"] = torch.from_numpy(bag).half().contiguous()
        tensors[f"{language}.bias"] = torch.tensor([head.bias for head in every]).float()
        dense = [head.dense for head in every if head.dense is not None]
        if dense:
            stacked = np.stack(dense, axis=1)
            tensors[f"{language}.dense"] = torch.from_numpy(stacked).float().contiguous()
        spec = specs[language]
        languages[language] = {
            "labels": list(by_label),
            "buckets": spec.buckets,
            "characters": list(spec.characters),
            "words": list(spec.words),
            "encoder": bool(dense),
        }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save(tensors))
    config = {**facts, "languages": languages}
    text = json.dumps(config, ensure_ascii=False, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")
