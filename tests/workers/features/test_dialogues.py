"""Two vectors of a dialogue and an answer."""

from __future__ import annotations

import pytest
import torch

from workers.features.dialogues import TABLES, AnswerScorer, Context
from workers.features.ngrams import NgramSpec

SPEC = NgramSpec(1 << 8, (1, 2), (0, 0))


@pytest.fixture
def scorer() -> AnswerScorer:
    torch.manual_seed(1)
    return AnswerScorer(SPEC, {name: torch.randn(SPEC.buckets, 4) for name in TABLES})


def test_the_last_message_and_three_before_it_are_read() -> None:
    found = Context.of(["一", "二", "三", "四", "ＯＫ 謝謝"])
    assert found == Context("OK 谢谢", "二 三 四")
    assert Context.of(["你好"]) == Context("你好", "")


def test_vectors_have_norm_1_together_as_alone(scorer: AnswerScorer) -> None:
    given = [Context("门票多少钱", "推荐故宫"), Context("你好", ""), Context("hi", "")]
    together = scorer.contexts(given)
    assert together.norm(dim=1).tolist() == pytest.approx([1.0] * 3)
    for one, vector in zip(given, together, strict=True):
        assert torch.allclose(scorer.contexts([one])[0], vector, atol=1e-6)
    answers = scorer.answers(["免费", "不客气"])
    assert answers.norm(dim=1).tolist() == pytest.approx([1.0] * 2)


def test_what_was_said_before_matters(scorer: AnswerScorer) -> None:
    with_it, without = scorer.contexts([Context("门票多少钱", "故宫"), Context("门票多少钱", "")])
    assert not torch.allclose(with_it, without)


def test_a_text_without_ngrams_has_no_direction(scorer: AnswerScorer) -> None:
    assert scorer.answers([""]).tolist() == [[0.0] * 4]
