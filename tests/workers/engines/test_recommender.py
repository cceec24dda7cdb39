"""The recommendation engine over the shipped weights: order, reasons, languages, diversity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.recommendation import (
    Choice,
    Recommendation,
    RecommendationOptions,
    RecommendationOutput,
)
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.engines.recommender import order

TASK = Recommendation()
GARDEN = ["How to grow tomatoes on a balcony", "The best soil for roses"]
GARDEN_ZH = ["阳台种番茄的方法", "玫瑰用什么土最好"]
ITEMS = [
    "Repairing a bicycle chain",
    "Growing tomatoes and roses at home",
    "A history of the railway",
    "自行车链条的修理",
    "在阳台上種玫瑰，選什麼土",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("recommendation", read_catalogue(DEFAULT_CATALOGUE), "cpu")


def run(
    engine: Engine, choices: Sequence[tuple[list[str], list[str]]], **options: Any
) -> list[RecommendationOutput]:
    chosen = RecommendationOptions.model_validate(options)
    inputs = [
        TASK.encode(Choice(history=tuple(history), items=tuple(items)), chosen)
        for history, items in choices
    ]
    found = engine.forward(engine.tokenize(inputs))
    return [TASK.decode(raw, one, chosen) for raw, one in zip(found, inputs, strict=True)]


def test_every_text_of_a_ranking_is_counted_as_long_as_a_neighbour_may_make_it(
    engine: Engine,
) -> None:
    items = [*ITEMS[:3], "as long as can be " * 100]
    short, longer, chinese = (
        TASK.encode(Choice(history=tuple(history), items=tuple(some)), RecommendationOptions())
        for history, some in ((GARDEN, ITEMS[:3]), (GARDEN, items), (GARDEN_ZH, ITEMS[3:]))
    )
    lengths = [one.length for one in engine.tokenize([short, longer, chinese])]
    longest = 128
    assert 5 * longest < lengths[0] < 5 * longest + 10
    assert 6 * longest < lengths[1] < 6 * longest + 20
    assert lengths[2] < 10


def test_the_nearest_comes_first_with_the_reason(engine: Engine) -> None:
    english, chinese, both = run(
        engine, [(GARDEN, ITEMS), (GARDEN_ZH, ITEMS), (GARDEN + GARDEN_ZH, ITEMS)]
    )
    assert english.items[0].place == 1 and chinese.items[0].place == 4
    assert {one.place for one in both.items[:2]} == {1, 4}
    reason = chinese.items[0].reason
    assert reason is not None and reason.text == GARDEN_ZH[reason.history]
    scores = [one.score for one in both.items]
    assert scores == sorted(scores, reverse=True) and all(0 < one <= 1 for one in scores)


def test_an_item_that_cannot_be_compared_comes_last(engine: Engine) -> None:
    (found,) = run(engine, [(GARDEN, ITEMS)])
    assert {one.place for one in found.items[-2:]} == {3, 4}
    assert all(one.score == 0.0 and one.reason is None for one in found.items[-2:])


def test_batched_equals_single(engine: Engine) -> None:
    choices = [(GARDEN, ITEMS), (GARDEN_ZH, ITEMS[::-1]), (["tea"], ["green tea", "tea"])]
    for choice, together in zip(choices, run(engine, choices), strict=True):
        (alone,) = run(engine, [choice])
        assert [one.place for one in alone.items] == [one.place for one in together.items]
        assert [one.score for one in alone.items] == pytest.approx(
            [one.score for one in together.items], abs=1e-5
        )


def test_diversity_puts_something_else_second(engine: Engine) -> None:
    items = ["Tomatoes on the balcony", "Tomatoes on your balcony", "Repotting old plants"]
    plain, diverse = (run(engine, [(GARDEN, items)], diversity=much)[0] for much in (0.0, 0.6))
    assert {one.place for one in plain.items[:2]} == {0, 1}
    assert diverse.items[1].place == 2


def test_the_largest_item_is_ranked(engine: Engine) -> None:
    history = [f"第{number}章：茶与咖啡" for number in range(50)]
    items = [f"关于茶的文章之{number}" for number in range(200)]
    (found,) = run(engine, [(history, items)], top=10)
    assert len({one.place for one in found.items}) == 10


def test_another_input_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError, match="a ranking input"):
        engine.tokenize([ModelInput("tea", "en")])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1))
def test_every_item_has_one_place(scores: list[float], diversity: float) -> None:
    generator = np.random.default_rng(1)
    between = generator.random((len(scores), len(scores)))
    found = order(np.array(scores), between, diversity)
    assert sorted(found) == list(range(len(scores)))
    if diversity == 0.0:
        assert [scores[place] for place in found] == sorted(scores, reverse=True)
