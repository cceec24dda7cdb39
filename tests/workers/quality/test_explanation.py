"""The deletion test: what is taken out, and what a run without data says."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lepton_tasks.nlp.explanation import Contribution, ExplanationOutput
from workers.quality.explanation import DRAWS, fewer, measure, without
from workers.training.datasets import DataMissing

TEXT = "好 b c d e f"


def output() -> ExplanationOutput:
    words = [
        Contribution(start=place, end=place + 1, text=TEXT[place], value=value)
        for place, value in ((4, 0.1), (2, 3.0), (0, -5.0), (6, 2.0), (8, 0.0), (10, 0.2))
    ]
    return ExplanationOutput(
        task="moderation",
        classifier="moderation",
        classifier_revision="abc",
        label="toxicity",
        label_supported=True,
        score=0.9,
        logit=2.0,
        base_value=0.0,
        contributions=words,
        rest=0.0,
        residual=0.0,
        method="exact",
        language="en",
        language_supported=True,
        truncated=False,
    )


def test_the_words_that_raise_the_score_most_go_first() -> None:
    named, *others = fewer(TEXT, output(), random.Random(1))
    assert named == "好  c  e f"
    assert len(others) == DRAWS
    assert all(len(one) == len(TEXT) - 2 for one in others)
    assert others == fewer(TEXT, output(), random.Random(1))[1:]


def test_spans_are_taken_out_whatever_their_order() -> None:
    assert without(TEXT, output().contributions) == " " * 5
    assert without(TEXT, []) == TEXT


def test_missing_data_names_the_sets(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="mod_davidson") as caught:
        measure(tmp_path)
    assert "mod_cold" in str(caught.value)
