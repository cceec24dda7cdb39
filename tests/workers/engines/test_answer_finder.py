"""The engine that finds answers, over the shipped weights, and folders that do not fit it."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionAnsweringOutput,
    QuestionInput,
    QuestionItem,
)
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.answer_finder import build_answer_finder
from workers.engines.base import Engine
from workers.engines.folder import read_folder
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks
from workers.engines.warm import warm_up
from workers.errors import ModelRefused

TASK = QuestionAnswering()
FORCED = QuestionAnsweringOptions(no_answer_below=0.0)
TOWN = (
    "The town lies on two hills. It was raining when we came. The old bridge between them was "
    "built in 1871 by John Miller. It is forty metres long. Most visitors come for the market."
)
CITY = "这座小城有两万居民。图书馆于1904年由李明创办，藏书六万册。每周一闭馆。"
ITEMS = [
    QuestionItem(question="When was the bridge built?", context=TOWN),
    QuestionItem(question="Who built the bridge?", context=TOWN),
    QuestionItem(question="图书馆是哪一年创办的？", context=CITY),
    QuestionItem(question="圖書館有多少藏書？", context="今天下雨。圖書館藏書６萬册😀。"),
    QuestionItem(question="Кто?", context="Один. Два."),
    QuestionItem(question="?", context="."),
    QuestionItem(question="What is the last word?", context="One more line of text. " * 80),
]


@pytest.fixture(scope="module")
def trunks() -> Trunks:
    return Trunks()


@pytest.fixture(scope="module")
def engine(trunks: Trunks) -> Engine:
    return load_engine(
        "question-answering", read_catalogue(DEFAULT_CATALOGUE), "cpu", trunks=trunks
    )


def encode(items: Sequence[QuestionItem]) -> list[QuestionInput]:
    return [TASK.encode(item, FORCED) for item in items]


def ask(engine: Engine, items: Sequence[QuestionItem]) -> list[QuestionAnsweringOutput]:
    inputs = encode(items)
    raws = engine.forward(engine.tokenize(inputs))
    return [TASK.decode(raw, one, FORCED) for raw, one in zip(raws, inputs, strict=True)]


def test_batched_as_alone(engine: Engine) -> None:
    for item, together in zip(ITEMS, ask(engine, ITEMS), strict=True):
        (alone,) = ask(engine, [item])
        assert math.isclose(alone.score, together.score, abs_tol=1e-5)
        assert alone == together.model_copy(update={"score": alone.score})


def test_plain_questions_in_both_languages(engine: Engine) -> None:
    when, who, year, books, *_ = ask(engine, ITEMS)
    assert when.answer == "1871"
    assert who.answer is not None and "John Miller" in who.answer
    assert year.answer is not None and "1904" in year.answer
    assert books.answer is not None and "６萬" in books.answer
    assert (when.windows, year.windows) == (5, 3)


def test_what_the_encoder_sees_of_a_long_context_is_bounded(engine: Engine) -> None:
    """The right sentence is the hundredth of two hundred, and one is as long as can be."""
    names = [f"{first}{second}" for first in "bcdfghjklm" for second in "aeiouaeiouaeiouaeiou"]
    sentences = [f"{name.title()} went home." for name in names]
    sentences[100] = "The bridge was built in 1871."
    sentences[150] = "The bridge is " + "very " * 190 + "old."
    item = QuestionItem(question="When was the bridge built?", context=" ".join(sentences))
    (encoded,) = engine.tokenize(encode([item]))
    assert len(encoded.tokens.ids) == 65
    assert max(map(len, encoded.tokens.ids)) == 96
    assert encoded.length >= 65 * 96
    (output,) = ask(engine, [item])
    assert (output.answer, output.windows) == ("1871", 200)


def test_a_context_without_the_answer_scores_lower(engine: Engine) -> None:
    foreign = QuestionItem(question="When was the bridge built?", context="Boil water. Add tea.")
    foreign_zh = QuestionItem(question="图书馆是哪一年创办的？", context="先烧水。再放茶叶。")
    found = ask(engine, [ITEMS[0], foreign, ITEMS[2], foreign_zh])
    assert found[0].score > 0.5 > found[1].score
    assert found[2].score > 0.5 > found[3].score


def test_it_shares_encoder_and_passes_with_moderation(trunks: Trunks, engine: Engine) -> None:
    other = load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu", trunks=trunks)
    assert other.lane is engine.lane
    texts = [Moderation().encode(text, ModerationOptions()) for text in ("Good day.", "你好")]
    items = [(engine, one) for one in engine.tokenize(encode(ITEMS[:3]))]
    for place, one in enumerate(other.tokenize(texts)):
        items.insert(2 * place, (other, one))
    for (own, encoded), mixed in zip(items, engine.lane.forward(items), strict=True):
        (alone,) = own.forward([encoded])
        assert alone.keys() == mixed.keys()
        assert all(math.isclose(alone[key], mixed[key], abs_tol=1e-5) for key in alone)


@settings(max_examples=30, deadline=None)
@given(
    st.text(st.sampled_from("who桥 年?19aB"), min_size=1, max_size=12),
    st.text(
        st.one_of(st.sampled_from("桥年。. 1aB\n，😀"), st.characters(codec="utf-8")), min_size=1
    ),
)
def test_every_answer_is_a_span_of_its_context(engine: Engine, question: str, context: str) -> None:
    if not context.strip():
        return
    (output,) = ask(engine, [QuestionItem(question=question, context=context)])
    assert output.answer and output.answer == context[output.start : output.end]
    assert 0.0 <= output.score <= 1.0


def test_examples_run(engine: Engine) -> None:
    warm_up(TASK, engine)


def test_another_tasks_input_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError, match="question-answering takes QuestionInput"):
        engine.tokenize([ModelInput("text", "en")])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may spoil."""
    shipped = read_catalogue(DEFAULT_CATALOGUE)["question-answering"].model_folder
    return Path(shutil.copytree(shipped, tmp_path / "model"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"word_shapes": ["any"]}, "word_shapes are not those .* train it again with `python -m"),
        ({"fallback_language": "fr"}, "fallback_language 'fr' is not one of the languages"),
        (
            {"languages": {"en": {"encoder": False}, "fr": {}}},
            r"tensor fr\.sentence is missing",
        ),
        ({"languages": {"en": {"encoder": True}}}, "language en needs an encoder"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    folder: Path, changes: dict[str, object], says: str
) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    lane = Trunks().headless(torch.device("cpu"))
    with pytest.raises(ModelRefused, match=says):
        build_answer_finder("mine", read_folder(folder), {}, None, lane)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    save_file({**load_file(weights), "zh.trust": torch.zeros(3)}, weights)
    lane = Trunks().headless(torch.device("cpu"))
    with pytest.raises(ModelRefused, match=r"zh\.trust is of shape \(3,\)"):
        build_answer_finder("mine", read_folder(folder), {}, None, lane)
