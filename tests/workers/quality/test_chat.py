"""The report on chat, on a few dialogues written here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from workers.quality.chat import drawn, measure, recall
from workers.training.chat import CROSSWOZ, Pair
from workers.training.datasets import DataMissing

PAIRS = [Pair([f"问{number}"], f"答{number}") for number in range(12)]


def test_candidates_are_different_and_the_same_each_time() -> None:
    found = drawn(PAIRS, 10, 7)
    assert found == drawn(PAIRS, 10, 7) != drawn(PAIRS, 10, 8)
    for pair, candidates in found:
        assert candidates[0] == pair.answer
        assert len(set(candidates)) == 10
    with pytest.raises(ValueError, match="too few"):
        drawn(PAIRS[:5], 10, 7)


def test_a_tie_is_no_hit() -> None:
    questions = drawn(PAIRS, 10, 7)

    def perfect(messages: Sequence[str], candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([one[1:] == messages[0][1:] for one in candidates], np.float32)

    assert recall(questions, perfect) == 1.0
    assert recall(questions, lambda _, candidates: np.ones(len(candidates), np.float32)) == 0.0


def test_the_report_has_model_and_baselines(tmp_path: Path) -> None:
    folder = tmp_path / CROSSWOZ.name
    with pytest.raises(DataMissing):
        measure(tmp_path)
    folder.mkdir()
    prices = [f"门票{number}元。" for number in range(6)]
    phones = [f"电话是010-62{number}31。" for number in range(6)]
    rows = [
        {"turns": [{"role": "user", "text": asked}, {"role": "system", "text": answer}]}
        for asked, given in (("门票多少钱？", prices), ("电话是多少？", phones))
        for answer in given
    ]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    for part in ("train", "dev"):
        (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    report = measure(tmp_path)
    assert report.startswith("## Chat\n")
    assert "12 answers" in report and "| at random | 0.100 |" in report
    assert "answers 100.0% with a stored" in report
