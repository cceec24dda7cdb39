"""How outputs are read as a data set's labels, and what a run without data says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions, ModerationOutput
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.loader import load_engine
from workers.quality.moderation import CHECKS, any_of, davidson_label, measure
from workers.quality.scoring import moderate
from workers.training.datasets import DataMissing


def output(**raw: float) -> ModerationOutput:
    return Moderation().decode(raw, ModelInput("text", "en"), ModerationOptions())


def test_three_classes_from_two_categories() -> None:
    assert davidson_label(output(identity_attack=0.9, profanity=0.9)) == "hate"
    assert davidson_label(output(identity_attack=0.1, profanity=0.9)) == "offensive"
    assert davidson_label(output(identity_attack=0.1, profanity=0.1)) == "neither"


def test_any_of_reads_each_category() -> None:
    read = any_of(["hate", "identity_attack"], "yes", "no")
    assert [read(output(hate=0.6)), read(output(identity_attack=0.6)), read(output(hate=0.4))] == [
        "yes",
        "yes",
        "no",
    ]


def test_outputs_come_in_input_order_whatever_the_lengths() -> None:
    engine = load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu")
    texts = ["A long and harmless sentence about the garden. " * 9, "你好", "Hi", "谢谢大家" * 30]
    scored = moderate(engine, texts)
    assert [one.language for one in scored.outputs] == ["en", "zh", "en", "zh"]
    assert scored.texts_per_second > 0


def test_missing_data_is_named_set_by_set(tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as missing:
        measure(tmp_path)
    for check in CHECKS:
        assert check.data.name in str(missing.value)
