"""Measuring preprocessing: spans of a treebank's words, and the page's section."""

from __future__ import annotations

import json
from pathlib import Path

from workers.quality.preprocessing import measure, sentences_row, spans_of

ROW = {
    "text": "The dog can't sleep.",
    "tokens": ["The", "dog", "ca", "n't", "sleep", "."],
    "upos": ["DET", "NOUN", "AUX", "PART", "VERB", "PUNCT"],
}
CHINESE = {"text": "我走。", "tokens": ["我", "走", "。"], "upos": ["PRON", "VERB", "PUNCT"]}


def test_spans_of_words() -> None:
    assert spans_of(ROW) == [(0, 3), (4, 7), (8, 10), (10, 13), (14, 19), (19, 20)]


def test_ends_of_joined_sentences() -> None:
    rows = [{"text": text} for text in ("One day.", "no mark", "Two.")]
    assert sentences_row("mine", rows, " ") == "| mine | 3 | 0.500 |"


def test_a_section_on_a_small_set(tmp_path: Path) -> None:
    for name, row in (("pos_ewt", ROW), ("pos_gsd_zh", CHINESE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dev.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    page = measure(tmp_path)
    assert page.startswith("## Preprocessing\n")
    assert "| English, EWT | 1 | 6 | 1.000 | 1.000 | 1.000 |" in page
    assert "| Chinese, GSDSimp | 1 | 1.000 |" in page
