"""Which rows a head learns from and how much each counts; heads as a folder that engines read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workers.engines.folder import read_folder
from workers.features.ngrams import NgramSpec
from workers.training.heads import Sample, sample, save_folder
from workers.training.linear import Linear
from workers.training.moderation_recipe import BENIGN, HeadRecipe, Labelled

ORDINARY = min(BENIGN)
SPEC = NgramSpec(1 << 4, (1, 2), (1, 1))


def row(source: str, **labels: bool) -> Labelled:
    return Labelled("好 text", source, labels)


def recipe(**changes: Any) -> HeadRecipe:
    return HeadRecipe("hate", ("one", "two"), **changes)


EXAMPLES = [
    row("one", hate=True),
    row("one", hate=False),
    row("one", violence=True),  # of a source, and silent on hate
    row("two", hate=True, violence=True),
    row(ORDINARY),
    row("elsewhere", hate=True),
]


def rows_of(found: Sample) -> list[tuple[int, bool, float, bool]]:
    return [
        (int(place), bool(truth), float(weight), bool(own))
        for place, truth, weight, own in zip(
            found.rows, found.truth, found.weights, found.own, strict=True
        )
    ]


def test_only_stated_labels_count_where_nothing_else_is_weighed() -> None:
    assert rows_of(sample(recipe(), EXAMPLES)) == [
        (0, True, 1.0, True),
        (1, False, 1.0, True),
        (3, True, 1.0, True),
    ]


def test_silent_and_ordinary_rows_stand_in_as_negatives_and_are_not_its_own() -> None:
    found = sample(recipe(unknown_weight=0.3, benign_weight=0.01), EXAMPLES)
    assert rows_of(found) == [
        (0, True, 1.0, True),
        (1, False, 1.0, True),
        (2, False, 0.3, False),
        (3, True, 1.0, True),
        (4, False, 0.01, False),
    ]
    assert found.sources.tolist() == ["one", "one", "one", "two", ORDINARY]


def test_nothing_to_learn_from_is_an_empty_sample() -> None:
    found = sample(recipe(), [row("elsewhere", hate=True)])
    assert rows_of(found) == []


def test_a_balanced_head_does_not_see_how_common_a_label_is() -> None:
    many = [row("one", hate=False)] * 90 + [row("one", hate=True)] * 10
    few = [row("two", hate=True)] * 3 + [row("two", hate=False)] * 7
    found = sample(recipe(balanced=True, benign_weight=0.2), [*many, *few, row(ORDINARY)])
    totals = [
        float(found.weights[found.own & (found.sources == source) & (found.truth == value)].sum())
        for source in ("one", "two")
        for value in (False, True)
    ]
    assert totals == pytest.approx([110 / 4] * 4)
    assert found.weights[-1] == 0.2
    assert found.weights[found.own].sum() == pytest.approx(110)


def test_a_source_that_has_one_label_alone_leaves_the_rest_as_it_is() -> None:
    found = sample(recipe(balanced=True), [row("one", hate=True)] * 4)
    assert found.weights.tolist() == [0.5] * 4


def linear(start: float, dense: bool) -> Linear:
    bag = np.arange(SPEC.buckets, dtype=np.float64) / 8 + start
    return Linear(bag, np.array([0.125, 1 / 3]) + start if dense else None, start)


def test_heads_come_back_from_their_folder(tmp_path: Path) -> None:
    heads = {
        "en": {"toxicity": linear(1.0, True), "hate": linear(-2.0, True)},
        "zh": {"toxicity": linear(0.5, False)},
    }
    out = tmp_path / "模型" / "new"
    save_folder(out, heads, {"en": SPEC, "zh": SPEC}, {"fallback_language": "en", "说明": "好"})
    found = read_folder(out)
    assert found.config["fallback_language"] == "en" and found.config["说明"] == "好"
    english, chinese = found.config["languages"]["en"], found.config["languages"]["zh"]
    assert english["labels"] == ["toxicity", "hate"]
    assert (english["encoder"], chinese["encoder"]) == (True, False)
    assert (english["buckets"], english["characters"], english["words"]) == (16, [1, 2], [1, 1])
    assert set(found.tensors) == {"en.bag", "en.bias", "en.dense", "zh.bag", "zh.bias"}
    assert found.tensors["en.bag"].dtype == torch.float16
    for column, head in enumerate(heads["en"].values()):
        assert head.dense is not None
        np.testing.assert_allclose(found.tensors["en.bag"][:, column].double(), head.bag, atol=1e-2)
        np.testing.assert_allclose(found.tensors["en.dense"][:, column], head.dense, rtol=1e-6)
        assert found.tensors["en.bias"][column] == head.bias


def test_the_same_heads_make_the_same_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_folder(tmp_path / name, {"zh": {"toxicity": linear(0.5, False)}}, {"zh": SPEC}, {})
    assert read_folder(tmp_path / "a").revision == read_folder(tmp_path / "b").revision
