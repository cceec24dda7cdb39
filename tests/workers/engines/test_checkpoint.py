"""Encoder checkpoints of the hub: classifiers, zero-shot, sentence vectors, in four families."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification

from lepton_tasks.nlp.base import ModelInput
from tests.support.encoders import FAMILIES, WIDTH, write_checkpoint
from tests.support.models import one_thread
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import SimpleEngine
from workers.engines.labels import map_labels
from workers.engines.loader import load_engine
from workers.engines.nli_zero_shot import build_zero_shot
from workers.engines.sentence_embedding import build_sentence_embedder
from workers.engines.sequence_classification import build_sequence_classifier
from workers.errors import CatalogueError, ModelRefused

CPU = torch.device("cpu")
MOST = 32
TEXTS = (
    "tea",
    "今天天气很好，我不喝茶。",
    "a much longer text about tea and cake " * 9,
    "茶",
    "cake?",
)
LABELS = ("negative", "neutral", "positive")
NLI = {0: "ENTAILMENT", 1: "neutral", 2: "contradiction"}


@dataclass(frozen=True, slots=True)
class Labelled(ModelInput):
    labels: tuple[str, ...] = ()


@pytest.fixture(scope="module", autouse=True)
def single_thread() -> Iterator[None]:
    with one_thread():
        yield


def entry(folder: Path, engine: str, **options: Any) -> CatalogueEntry:
    return CatalogueEntry(
        name="mine", task="moderation", engine=engine, folder=folder, max_tokens=MOST,
        options=options,
    )  # fmt: skip


def classifier(folder: Path, allowed: Sequence[str] | None = LABELS, **options: Any) -> Any:
    return build_sequence_classifier(
        entry(folder, "sequence-classification", **options), allowed, CPU
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with the labels of a sentiment task."""
    folder = tmp_path_factory.mktemp("made") / "sentiment"
    names = dict(enumerate(LABELS))
    return write_checkpoint(folder, AutoModelForSequenceClassification, id2label=names)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


def change(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def results(engine: SimpleEngine, inputs: Sequence[ModelInput]) -> tuple[list[Any], list[Any]]:
    """What the engine finds for ``inputs`` together, and one by one."""
    encoded = engine.tokenize(inputs)
    alone = [engine.forward([engine.tokenize([one])[0]])[0] for one in inputs]
    return list(engine.forward(encoded)), alone


def of_texts(language: str = "en") -> list[ModelInput]:
    return [ModelInput(text, language) for text in TEXTS]


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_transformers_whatever_else_is_in_the_batch(
    tmp_path: Path, family: str
) -> None:
    names = dict(enumerate(LABELS))
    folder = write_checkpoint(
        tmp_path / "model", AutoModelForSequenceClassification, family, id2label=names
    )
    engine = classifier(folder)
    together, alone = results(engine, of_texts())
    reference = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for one, own, encoded in zip(together, alone, engine.tokenize(of_texts()), strict=True):
        assert tuple(one) == LABELS
        assert dict(one) == pytest.approx(dict(own), abs=1e-5)
        with torch.inference_mode():
            logits = reference(input_ids=torch.tensor([encoded.tokens.ids])).logits[0]
        assert list(one.values()) == pytest.approx(logits.softmax(0).tolist(), abs=1e-5)
    assert [one.truncated for one in together] == [False, False, True, False, False]
    assert together[0] != pytest.approx(together[1], abs=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_do_not_depend_on_the_batch(tmp_path: Path, family: str, pooling: str) -> None:
    folder = write_checkpoint(tmp_path / "model", AutoModel, family)
    made = entry(folder, "sentence-embedding", pooling=pooling, prefix="q: ")
    engine = build_sentence_embedder(made, CPU)
    together, alone = results(engine, of_texts())
    reference = AutoModel.from_pretrained(folder).eval()
    ids = torch.tensor([engine.tokenize(of_texts()[:1])[0].tokens.ids])
    with torch.inference_mode():
        states = reference(input_ids=ids).last_hidden_state[0]
    wanted = states.mean(0) if pooling == "mean" else states[0]
    assert together[0]["vector"] == pytest.approx((wanted / wanted.norm()).tolist(), abs=1e-5)
    for one, own in zip(together, alone, strict=True):
        assert len(one["vector"]) == WIDTH
        assert one["vector"] == pytest.approx(own["vector"], abs=1e-5)
        assert sum(part * part for part in one["vector"]) == pytest.approx(1.0, abs=1e-5)
        assert one["space"] == f"mine@{engine.revision}"
    assert [one["truncated"] for one in together] == [False, False, True, False, False]


@pytest.mark.parametrize("family", ["xlm-roberta", "deberta-v2"])
def test_labels_of_the_request_share_one(tmp_path: Path, family: str) -> None:
    folder = write_checkpoint(
        tmp_path / "model", AutoModelForSequenceClassification, family, id2label=NLI
    )
    options = {"labels": ["tea", "cake"], "templates": {"zh": "说的是{}。"}}
    engine = build_zero_shot(entry(folder, "nli-zero-shot", **options), CPU)
    inputs = [
        Labelled("tea is warm", "en", ("tea", "rain", "cars")),
        Labelled("今天天气很好", "zh", ("天气", "茶")),
        ModelInput("x y", "und"),
        Labelled("long " * 200, "en", ("tea", "rain")),
    ]
    together, alone = results(engine, inputs)
    assert [tuple(one) for one in together] == [
        ("tea", "rain", "cars"),
        ("天气", "茶"),
        ("tea", "cake"),
        ("tea", "rain"),
    ]
    for one, own in zip(together, alone, strict=True):
        assert dict(one) == pytest.approx(dict(own), abs=1e-5)
        assert sum(one.values()) == pytest.approx(1.0)
    assert [one.truncated for one in together] == [False, False, False, True]
    assert all(one.untrained for one in together)
    lengths = [one.length for one in engine.tokenize(inputs)]
    assert lengths[3] == 2 * MOST


def test_an_item_of_many_rows_goes_in_several_passes(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = results(classifier(made), of_texts())
    monkeypatch.setattr("workers.engines.checkpoint._PASS_TOKENS", 2 * MOST)
    parts, _ = results(classifier(made), of_texts())
    for one, other in zip(whole, parts, strict=True):
        assert dict(one) == pytest.approx(dict(other), abs=1e-5)


def test_the_kind_of_scores_follows_the_config_or_the_entry(folder: Path) -> None:
    [softmax] = classifier(folder).forward(classifier(folder).tokenize(of_texts()[:1]))
    assert sum(softmax.values()) == pytest.approx(1.0)
    change(folder, problem_type="multi_label_classification")
    engine = classifier(folder, ["spam", "threat"], labels={"negative": "spam"})
    [sigmoid] = engine.forward(engine.tokenize(of_texts()[:1]))
    assert list(sigmoid) == ["spam"]
    chosen = classifier(folder, scores="softmax")
    assert sum(chosen.forward(chosen.tokenize(of_texts()[:1]))[0].values()) == pytest.approx(1.0)
    change(folder, problem_type="regression")
    with pytest.raises(ModelRefused, match="problem_type 'regression'"):
        classifier(folder)


@pytest.mark.parametrize(
    ("mapping", "labels", "activation", "says"),
    [
        (
            {"LABEL_7": "a"},
            None,
            "sigmoid",
            "names 'LABEL_7', but the checkpoint's labels are x, y",
        ),
        ({"x": "q"}, ["a"], "sigmoid", r"the task has no label 'q'.*\[m.options.labels\]"),
        ({}, ["a", "b"], "softmax", "the task has no label 'x'; its labels are a, b"),
        ({"x": "a", "y": "a"}, ["a"], "sigmoid", "one label of the task twice"),
        ({"x": "a"}, ["a", "b"], "softmax", "leaves out 'y'"),
    ],
)
def test_labels_that_do_not_match_are_refused(
    mapping: dict[str, str], labels: list[str] | None, activation: Any, says: str
) -> None:
    with pytest.raises(CatalogueError, match=says):
        map_labels("m", {"x": 0, "y": 1}, mapping, labels, activation)


def test_unsafe_and_incomplete_folders_are_refused(folder: Path, made: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    rest = {name: one for name, one in tensors.items() if not name.startswith("classifier.")}
    save_file(rest, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelRefused, match=r"2 tensors .*classifier\.bias"):
        classifier(folder)
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(ModelRefused, match="never as pickles"):
        classifier(folder)
    shutil.copy(made / "model.safetensors", folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelRefused, match="save the model's fast tokenizer"):
        classifier(folder)
    change(folder, auto_map={"AutoModel": "theirs.Model"})
    with pytest.raises(ModelRefused, match="auto_map"):
        classifier(folder)


def test_a_limit_beyond_the_positions_is_refused(made: Path) -> None:
    long = entry(made, "sequence-classification").model_copy(update={"max_tokens": 256})
    with pytest.raises(
        ModelRefused, match=r"takes 128 tokens of .* but max_tokens of .mine. is 256"
    ):
        build_sequence_classifier(long, LABELS, CPU)


def test_a_sentence_encoder_may_lack_the_pooler(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", AutoModel)
    tensors = load_file(folder / "model.safetensors")
    states = {name: one for name, one in tensors.items() if not name.startswith("pooler.")}
    assert len(states) < len(tensors)
    save_file(states, folder / "model.safetensors", {"format": "pt"})
    engine = build_sentence_embedder(entry(folder, "sentence-embedding"), CPU)
    assert len(engine.forward(engine.tokenize(of_texts()))) == len(TEXTS)


@pytest.mark.parametrize(
    ("engine", "options", "says"),
    [
        ("sequence-classification", {"scores": "tanh"}, r"\[mine\] options.scores"),
        ("nli-zero-shot", {"labels": ["one"]}, r"\[mine\] options.labels"),
        ("nli-zero-shot", {"labels": ["a", "b"]}, "options.entailment is 'entailment', but"),
        ("nli-zero-shot", {"labels": ["a", "b"], "templates": {"en": "x"}}, "needs {}"),
        ("sentence-embedding", {"pooling": "max"}, r"\[mine\] options.pooling"),
    ],
)
def test_options_are_checked(made: Path, engine: str, options: dict[str, Any], says: str) -> None:
    wrong = entry(made, engine, **options)
    with pytest.raises(CatalogueError, match=says):
        load_engine("moderation", {"mine": wrong}, "cpu", "mine")
