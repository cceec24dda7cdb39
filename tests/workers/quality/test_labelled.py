"""Measured as served: outputs in order, whatever the micro-batches."""

from __future__ import annotations

from lepton_tasks.nlp.registry import get_task
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.loader import load_engine
from workers.quality.labelled import accuracy, macro_f1, outputs_of


def test_outputs_come_in_order() -> None:
    task = get_task("moderation")
    engine = load_engine(task.name, read_catalogue(DEFAULT_CATALOGUE), "cpu")
    texts = ["Thank you. " * 30, "你好", "You stupid idiot."]
    outputs = outputs_of(task, engine, texts, {"block_at": 0.7})
    assert [one.language for one in outputs] == ["en", "zh", "en"]
    assert [one.flagged for one in outputs] == [False, False, True]


def test_an_answer_outside_the_set_is_wrong() -> None:
    truth = ["good", "good", "bad", "bad"]
    assert macro_f1(truth, truth) == accuracy(truth, truth) == 1.0
    assert accuracy(truth, ["good", "neutral", "bad", "bad"]) == 0.75
    assert round(macro_f1(truth, ["good", "neutral", "bad", "bad"]), 3) == 0.833
