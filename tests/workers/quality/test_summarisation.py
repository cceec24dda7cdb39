"""The report on summarisation, on a few texts written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workers.quality.summarisation import SETS, best_sentence, first_sentence, measure
from workers.training.datasets import DataMissing, Row

ROWS: dict[str, list[Row]] = {
    "sum_scitldr": [
        {
            "text": "Lamps are old and dark. We propose a lamp that saves oil. It rains today.",
            "summary": "a lamp that saves oil",
        }
    ],
    "sum_csl_zh": [{"text": "灯很旧。本文提出省油的灯。昨天下雨。", "summary": "省油的灯"}],
}


def test_the_picked_sentence_stands_between_the_first_and_the_best(tmp_path: Path) -> None:
    for _, source, _ in SETS:
        (tmp_path / source.name).mkdir()
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS[source.name])
        (tmp_path / source.name / "dev.jsonl").write_text(lines, encoding="utf-8")
    report = measure(tmp_path)
    assert report.startswith("## Summarisation\n")
    picked = "| SciTLDR abstracts, en | 1 | picked sentence | 0.833 | 0.800 | 0.833 | 0.33 |"
    assert picked in report
    assert "| SciTLDR abstracts, en | 1 | first sentence | 0.000 | 0.000 | 0.000 | – |" in report


def test_first_and_best_sentence() -> None:
    (row,) = ROWS["sum_csl_zh"]
    assert (first_sentence(row), best_sentence(row)) == ("灯很旧。", "本文提出省油的灯。")


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="sum_scitldr"):
        measure(tmp_path)
