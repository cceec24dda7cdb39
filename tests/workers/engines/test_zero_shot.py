"""Labels of the request: mixed with trained heads in one micro-batch, in both languages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.classification import LabelledInput
from lepton_tasks.nlp.scores import LabelScores
from tests.support.encoders import write_encoder, write_heads
from workers.catalogue.entries import CatalogueEntry
from workers.engines import zero_shot
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks
from workers.engines.zero_shot import SENTENCE
from workers.errors import CatalogueError

COLOURS = ("red", "green", "deep blue")
INPUTS = [
    LabelledInput("the sea is deep blue", "en", COLOURS),
    LabelledInput("快递还没到", "zh", ("快递", "退款")),
    LabelledInput("a text that is longer than the others are", "en", ("long", "short")),
    LabelledInput("green", "en", COLOURS),
    LabelledInput("where is my 快递", "en", ("快递", "refund")),
    LabelledInput("Привет", "und", COLOURS),
    LabelledInput("today", "zh", ("昨天", "今天")),
]


@pytest.fixture(scope="module")
def trunks() -> Trunks:
    return Trunks()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("zero-shot")
    write_encoder(root / "encoder")
    write_heads(root / "heads")
    return root


@pytest.fixture(scope="module")
def engine(folder: Path, trunks: Trunks) -> Engine:
    return load(folder, trunks, engine="zero-shot")


def load(root: Path, trunks: Trunks, **fields: object) -> Engine:
    entry = CatalogueEntry.model_validate(
        {
            "name": "any",
            "task": "classification",
            "encoder_folder": root / "encoder",
            "max_tokens": 64,
            **fields,
        }
    )
    return load_engine("classification", {"any": entry}, "cpu", "any", trunks)


def run(engine: Engine, inputs: Sequence[ModelInput]) -> list[LabelScores]:
    found = engine.forward(engine.tokenize(inputs))
    assert all(isinstance(one, LabelScores) for one in found)
    return found  # type: ignore[return-value]


def close(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        math.isclose(one[label], other[label], abs_tol=1e-5) for label in one
    )


def test_batched_equals_single_and_scores_are_shares(engine: Engine) -> None:
    for one, found in zip(INPUTS, run(engine, INPUTS), strict=True):
        assert tuple(found) == one.labels
        assert math.isclose(sum(found.values()), 1.0, abs_tol=1e-5)
        assert close(found, run(engine, [one])[0])
        assert found.foreign == (one.language == "und")


def test_the_closest_label_scores_highest(engine: Engine) -> None:
    _, delivery, _, _, mixed, _, nothing = run(engine, INPUTS)
    (green,) = run(engine, [LabelledInput(SENTENCE.replace("{}", "green"), "en", COLOURS)])
    assert max(green, key=lambda label: green[label]) == "green"  # what is seen of that label
    assert delivery["快递"] > delivery["退款"]
    assert mixed["快递"] > mixed["refund"]
    assert math.isclose(nothing["昨天"], nothing["今天"], abs_tol=1e-5)


def test_it_shares_micro_batches_with_trained_heads(
    engine: Engine, folder: Path, trunks: Trunks
) -> None:
    heads = load(folder, trunks, engine="text-classifier", folder=folder / "heads")
    assert heads.lane is engine.lane
    items = [
        (one, encoded)
        for place in range(len(INPUTS))
        for one in (heads, engine)
        for encoded in one.tokenize(INPUTS[place : place + 1])
    ]
    for (one, encoded), found in zip(items, engine.lane.forward(items), strict=True):
        assert close(found, one.forward([encoded])[0])


def test_vectors_of_labels_are_kept_and_bounded(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero_shot, "MOST_KEPT", 2)
    kept = engine._vectors  # type: ignore[attr-defined]
    kept.clear()
    sets = [("a", "b"), ("c", "d"), ("e", "f")]
    for labels in [*sets[:2], sets[0], sets[2]]:
        run(engine, [LabelledInput("text", "en", labels)])
    assert list(kept) == [sets[0], sets[2]]


def test_labels_that_are_new_count_once(engine: Engine) -> None:
    labels = tuple(f"label {number}" for number in range(50))
    same = [LabelledInput("text", "en", labels)] * 2
    first, second = engine.tokenize(same)
    assert first.length > 50 * 6 and second.length < 10
    run(engine, same)
    assert [one.length for one in engine.tokenize(same)] == [second.length] * 2


def test_a_long_text_says_that_it_was_cut(engine: Engine) -> None:
    texts = ("a " * 100, "a " * 62, "the sea")
    found = run(engine, [LabelledInput(text, "en", COLOURS) for text in texts])
    assert [one.truncated for one in found] == [True, False, False]


def test_what_is_missing_is_named(engine: Engine, folder: Path, trunks: Trunks) -> None:
    with pytest.raises(ValueError, match="there are none"):
        engine.tokenize([ModelInput("text", "en")])
    with pytest.raises(CatalogueError, match="needs an encoder_package or an encoder_folder"):
        load(folder, trunks, engine="zero-shot", encoder_folder=None)
