"""Scores of labels, and what an engine says beside them."""

from __future__ import annotations

from lepton_tasks.nlp.scores import LabelScores


def test_labels_keep_the_models_order_and_equal_a_plain_mapping() -> None:
    scores = LabelScores([("体育", 0.2), ("sports", 0.8)])
    assert list(scores) == ["体育", "sports"]
    assert scores == {"sports": 0.8, "体育": 0.2}


def test_nothing_is_said_unless_the_engine_says_it() -> None:
    plain = LabelScores([])
    assert (plain.truncated, plain.foreign, plain.untrained) == (False, False, False)
    told = LabelScores([], truncated=True, untrained=True)
    assert (told.truncated, told.foreign, told.untrained) == (True, False, True)
