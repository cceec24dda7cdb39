"""The shipped sentiment and classification models, together over one encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from lepton_tasks.nlp.moderation import Moderation
from lepton_tasks.nlp.registry import AnyTask, get_task
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks

ENGLISH = [
    "The staff were rude and the room was filthy.",
    "What a wonderful evening, thank you all!",
    "A goal in the last minute won them the cup. " * 40,
    "hi",
]
CHINESE = [
    "味道很差，再也不会来了。",
    "质量很好，物流也快，非常满意！",
    "這家餐廳很好吃",
    "央行下调存款准备金率 ，股市上涨",
    "这个 app 真不错 👍",
]
OTHERS = ["Где библиотека?", "？！"]
MODELS = ("sentiment", "topics", "intents", "zero-shot")
OPTIONS: dict[str, dict[str, Any]] = {"zero-shot": {"labels": ["service", "体育", "food"]}}

Engines = dict[str, Engine]


@pytest.fixture(scope="module")
def engines() -> Engines:
    catalogue, trunks = read_catalogue(DEFAULT_CATALOGUE), Trunks()
    return {
        name: load_engine(catalogue[name].task, catalogue, "cpu", name, trunks)
        for name in (*MODELS, "moderation")
    }


def task_of(model: str) -> AnyTask:
    return get_task("sentiment" if model == "sentiment" else "classification")


def answers(engines: Engines, model: str, texts: Sequence[str]) -> list[Any]:
    task = task_of(model)
    options = task.options_model.model_validate(OPTIONS.get(model, {}))
    inputs = [task.encode(text, options) for text in texts]
    raws = engines[model].forward(engines[model].tokenize(inputs))
    return [task.decode(raw, one, options) for raw, one in zip(raws, inputs, strict=True)]


def numbers(output: Any) -> dict[str, float]:
    scores = output.scores
    return scores if isinstance(scores, dict) else {one.label: one.score for one in scores}


@pytest.mark.parametrize("model", MODELS)
def test_batched_equals_single(engines: Engines, model: str) -> None:
    texts = [*ENGLISH, *CHINESE, *OTHERS]
    for text, together in zip(texts, answers(engines, model, texts), strict=True):
        (alone,) = answers(engines, model, [text])
        one, other = numbers(together), numbers(alone)
        assert one.keys() == other.keys()
        assert all(math.isclose(one[label], other[label], abs_tol=1e-5) for label in one)
        assert math.isclose(sum(one.values()), 1.0, abs_tol=1e-4)


def test_all_of_them_in_one_micro_batch(engines: Engines) -> None:
    lane = engines["moderation"].lane
    texts = [*ENGLISH, *CHINESE[:2]]
    items = []
    for text in texts:
        for name, engine in engines.items():
            task = Moderation() if name == "moderation" else task_of(name)
            options = task.options_model.model_validate(OPTIONS.get(name, {}))
            (encoded,) = engine.tokenize([task.encode(text, options)])
            assert engine.lane is lane
            items.append((engine, encoded))
    for (engine, encoded), found in zip(items, lane.forward(items), strict=True):
        (alone,) = engine.forward([encoded])
        assert found.keys() == alone.keys()
        assert all(math.isclose(found[label], alone[label], abs_tol=1e-5) for label in found)


def test_plain_opinions_in_both_languages(engines: Engines) -> None:
    texts = [*ENGLISH[:2], *CHINESE[:2], "會議改到星期二上午九點。"]
    found = [one.label for one in answers(engines, "sentiment", texts)]
    assert found == ["negative", "positive", "negative", "positive", "neutral"]


def test_plain_topics_and_intents(engines: Engines) -> None:
    texts = [ENGLISH[2], "央行宣布下调存款准备金率", "女排三比零横扫对手夺冠"]
    sport, money, volleyball = answers(engines, "topics", texts)
    assert sport.label == "Sports" and sport.truncated
    assert money.label in {"finance", "stocks"} and not money.truncated
    assert volleyball.label == "sports"
    card, foreign = answers(engines, "intents", ["My new card has not arrived yet", "卡还没到"])
    assert card.label == "card_arrival" and card.language_supported
    assert len(card.scores) == 77
    assert not foreign.language_supported


def test_a_text_in_neither_language_says_so(engines: Engines) -> None:
    for model in MODELS:
        (found,) = answers(engines, model, OTHERS[:1])
        assert (found.language, found.language_supported) == ("und", False)
