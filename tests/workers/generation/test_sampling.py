"""Tokens are drawn as transformers would, and by the request's own seed alone."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from lepton_tasks.nlp.generating import GenerationSpec
from workers.generation.sampling import Dice, Draw, choose

VOCABULARY = 40


def logits(rows: int = 1) -> torch.Tensor:
    torch.manual_seed(3)
    return 3 * torch.randn(rows, VOCABULARY)


def warped(scores: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Probabilities [vocabulary] that transformers draws from."""
    scores = TemperatureLogitsWarper(draw.temperature)(None, scores)
    if draw.top_k:
        scores = TopKLogitsWarper(draw.top_k)(None, scores)
    if draw.top_p < 1.0:
        scores = TopPLogitsWarper(draw.top_p)(None, scores)
    return torch.softmax(scores, dim=-1)[0]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.7, 0, 0.8), (1.3, 5, 1.0), (1.0, 8, 0.6), (0.5, 100, 0.01)],
)
def test_tokens_come_as_often_as_transformers_says(
    temperature: float, top_k: int, top_p: float
) -> None:
    scores = logits()
    wanted = warped(scores, Draw(temperature, top_k, top_p, 0.0))
    draws = [Draw(temperature, top_k, top_p, (step + 0.5) / 2000) for step in range(2000)]
    found = Counter(choose(scores.expand(2000, -1), draws))
    for token in range(VOCABULARY):
        assert found[token] / 2000 == pytest.approx(float(wanted[token]), abs=1.5e-3)


def test_a_flat_vocabulary_is_sorted_whole() -> None:
    scores = torch.linspace(0.0, 0.001, 5000)[None]
    draws = [Draw(1.0, 0, 0.5, chance) for chance in (0.0, 0.9999)]
    first, last = choose(scores.expand(2, -1), draws)
    assert first == 4999
    assert last is not None
    assert abs(last - 2500) <= 2


def test_without_a_draw_the_likeliest_is_taken() -> None:
    scores = logits(5)
    assert choose(scores, [None] * 5) == scores.argmax(dim=-1).tolist()


def test_company_changes_nothing() -> None:
    scores = logits(6)
    draws = [None, Draw(0.8, 0, 0.9, 0.3), Draw(2.0, 3, 1.0, 0.99), None, Draw(1.0, 0, 1.0, 0.0)]
    draws.append(Draw(1.0, 0, 0.5, 0.999999))
    together = choose(scores, draws)
    assert together == [choose(scores[row : row + 1], [draws[row]])[0] for row in range(6)]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_row_without_numbers_is_alone_with_it(broken: float) -> None:
    scores = logits(3)
    scores[1, 7] = broken
    found = choose(scores, [None, Draw(1.0, 0, 1.0, 0.5), Draw(1.0, 0, 1.0, 0.5)])
    assert found[1] is None
    assert found[0] is not None
    assert found[2] is not None


def test_tokens_that_a_model_rules_out_are_never_drawn() -> None:
    scores = logits()
    scores[0, 10:] = float("-inf")
    scores[0, 0] = float("-inf")
    draws = [Draw(5.0, 0, 1.0, step / 499) for step in range(500)]
    assert set(choose(scores.expand(500, -1), draws)) == set(range(1, 10))


def test_a_seed_decides_the_numbers() -> None:
    def numbers(seed: int) -> list[float]:
        dice = Dice(GenerationSpec(temperature=1.0, seed=seed))
        return [draw.chance for _ in range(5) if (draw := dice.draw()) is not None]

    assert numbers(7) == numbers(7) != numbers(8)
    assert len(set(numbers(7))) == 5
