"""Question-answering checkpoints in four families: as transformers computes, batched as alone."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForQuestionAnswering

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionAnsweringOutput,
    QuestionInput,
    QuestionItem,
)
from tests.support.encoders import FAMILIES, write_checkpoint
from tests.support.models import one_thread
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Engine, Raw
from workers.engines.loader import load_engine
from workers.engines.pretrained import load_tokenizer
from workers.errors import CatalogueError, ModelRefused

TASK = QuestionAnswering()
MOST = 32
OPTIONS = {"overlap": 6, "question": 8, "answer": 5}
ITEMS = [
    QuestionItem(question="who?", context="ann"),
    QuestionItem(question="喝茶？", context="今天 天气 很好， 我 不喝茶。"),
    QuestionItem(question="what is tea", context="a much longer text about tea. " * 9),
    QuestionItem(question="a question much longer than what is read of one", context="茶 cake 😀"),
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    family: str = request.param
    return write_checkpoint(
        tmp_path_factory.mktemp(family) / "model", AutoModelForQuestionAnswering, family
    )


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("bert"), AutoModelForQuestionAnswering)


@pytest.fixture
def spoilt(bert: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(bert, tmp_path / "model"))


def build(folder: Path, max_tokens: int = MOST, **options: Any) -> Engine:
    entry = CatalogueEntry(
        name="mine",
        task="question-answering",
        default=True,
        engine="extractive-qa",
        folder=folder,
        max_tokens=max_tokens,
        options={**OPTIONS, **options},
    )
    return load_engine("question-answering", {"mine": entry}, "cpu")


def encode(items: Sequence[QuestionItem]) -> list[QuestionInput]:
    return [TASK.encode(item, QuestionAnsweringOptions()) for item in items]


def run(engine: Engine, items: Sequence[QuestionItem]) -> Sequence[Raw]:
    return engine.forward(engine.tokenize(encode(items)))


def decoded(raw: Raw, item: QuestionItem) -> QuestionAnsweringOutput:
    options = QuestionAnsweringOptions(no_answer_below=0.0)
    return TASK.decode(raw, TASK.encode(item, options), options)


def test_batched_as_alone(folder: Path) -> None:
    engine = build(folder)
    for item, together in zip(ITEMS, run(engine, ITEMS), strict=True):
        (alone,) = run(engine, [item])
        assert math.isclose(alone["score"], together["score"], abs_tol=1e-5)
        assert {**alone, "score": 0} == {**together, "score": 0}


def test_one_window_is_what_transformers_computes(folder: Path) -> None:
    question, context = ITEMS[1].question, ITEMS[1].context
    found = load_tokenizer(folder).encode(question, context)
    network = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    types = {} if network.config.type_vocab_size < 2 else {"token_type_ids": [found.type_ids]}
    inputs = {"input_ids": [found.ids], **types}
    with torch.inference_mode():
        output = network(**{name: torch.tensor(value) for name, value in inputs.items()})
    first, last = output.start_logits[0].tolist(), output.end_logits[0].tolist()
    own = [place for place, part in enumerate(found.sequence_ids) if part == 1]
    best, begin, end = max(
        (first[begin] + last[end], begin, end)
        for begin in own
        for end in own
        if begin <= end < begin + OPTIONS["answer"]
    )
    (raw,) = run(build(folder), [ITEMS[1]])
    assert (raw["start"], raw["end"]) == (found.offsets[begin][0], found.offsets[end][1])
    none = first[0] + last[0]
    assert raw["score"] == pytest.approx(1 / (1 + math.exp(none - best)), abs=1e-5)
    assert raw["windows"] == 1


def test_answers_are_spans_and_long_contexts_are_windowed(folder: Path) -> None:
    for item, raw in zip(ITEMS, run(build(folder), ITEMS), strict=True):
        output = decoded(raw, item)
        assert item.context is not None
        assert output.answer and output.answer == item.context[output.start : output.end]
        assert output.answer == output.answer.strip()
    windows = [raw["windows"] for raw in run(build(folder), ITEMS)]
    assert windows[0] == windows[1] == 1 < windows[2]


def test_an_answer_behind_the_first_window_is_found(bert: Path) -> None:
    """The last of many words wins where the network prefers its token in any place."""
    tokenizer = load_tokenizer(bert)
    network = AutoModelForQuestionAnswering.from_pretrained(bert)
    with torch.no_grad():
        # Every layer but the embedding of one letter is silenced, so that it alone is seen.
        for name, parameter in network.named_parameters():
            if "embeddings" not in name and "LayerNorm" not in name:
                parameter.zero_()
        embeddings = network.bert.embeddings
        for table in (embeddings.position_embeddings, embeddings.token_type_embeddings):
            table.weight.zero_()
        words = embeddings.word_embeddings.weight
        words.zero_()
        words[:, 1] = 1.0
        words[tokenizer.token_to_id("q"), 0] = 8.0
        network.qa_outputs.weight[:, 0] = 1.0
    folder = bert.parent / "q"
    network.save_pretrained(folder)
    shutil.copy(bert / "tokenizer.json", folder)
    item = QuestionItem(question="which?", context="a b c d e f " * 12 + "q" + " x y z" * 3)
    (raw,) = run(build(folder), [item])
    assert decoded(raw, item).answer == "q"
    assert raw["score"] > 0.9 and raw["windows"] > 4


def test_a_context_without_tokens_has_no_answer(bert: Path) -> None:
    item = QuestionItem(question="who?", context="\u200b")
    (raw,) = run(build(bert), [item])
    assert decoded(raw, item).answer is None
    assert raw["score"] < 1e-6


def test_another_tasks_input_is_refused(bert: Path) -> None:
    with pytest.raises(TypeError, match="mine takes QuestionInput"):
        build(bert).tokenize([ModelInput("text", "en")])


def test_settings_that_do_not_fit_are_named(bert: Path) -> None:
    with pytest.raises(CatalogueError, match=r"\[mine\] options\.stride: Extra inputs"):
        build(bert, stride=3)
    with pytest.raises(CatalogueError, match=r"question of 8 tokens and an overlap of 30 leave"):
        build(bert, overlap=30)
    with pytest.raises(ModelRefused, match=r"takes 128 tokens .* max_tokens of .* 256"):
        build(bert, 256)


def test_missing_head_is_refused(spoilt: Path) -> None:
    weights = spoilt / "model.safetensors"
    tensors = load_file(weights)
    del tensors["qa_outputs.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(ModelRefused, match=r"the first is qa_outputs\.weight"):
        build(spoilt)


def test_a_tokenizer_without_classification_token_is_refused(spoilt: Path) -> None:
    file = spoilt / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["post_processor"] = None
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(ModelRefused, match="puts no classification token before a pair"):
        build(spoilt)
