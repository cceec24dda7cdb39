"""The report on question-answering, on questions written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.questions import ROWS
from workers.quality.question_answering import measure
from workers.training.datasets import DataMissing
from workers.training.question_answering import SOURCES


def test_every_set_has_a_row(tmp_path: Path) -> None:
    for language, source in SOURCES.items():
        (tmp_path / source.name).mkdir()
        lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in ROWS[language])
        (tmp_path / source.name / "dev.jsonl").write_text(lines, encoding="utf-8")
    report = measure(tmp_path)
    assert report.startswith("## Question-answering\n")
    assert "| XQuAD, en | 4 | 1.000 | 0.75 |" in report
    assert "| CMRC 2018, zh | 4 | 1.000 | 0.65 |" in report


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="qa_xquad_en"):
        measure(tmp_path)
