"""The report on corpora, on texts written here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.questions import ROWS
from workers.quality.corpora import measure
from workers.quality.similarity import CSL_ABSTRACTS, SCITLDR
from workers.training.datasets import DataMissing
from workers.training.question_answering import SOURCES

TEXTS = {
    SCITLDR.name: [
        "The library opens at eight in the morning, and on Sundays it stays closed all day.",
        "Readers who have lost their card may ask for another one at the counter upstairs.",
        "The old bridge over the river was built in stone, and carries two narrow lanes.",
        "Tomatoes want a sunny garden with rich soil, and plenty of water all summer long.",
    ],
    CSL_ABSTRACTS.name: [
        "图书馆早上八点开门，星期日全天休息，读者可以在网上查询。",
        "遗失读者证的人可以在一楼柜台申请补办一张新证，需要证件。",
        "河上的老桥是用石头建成的，桥面只有两条狭窄的车道通行。",
        "番茄喜欢阳光充足的花园，整个夏天都需要肥沃的土壤和水。",
    ],
}


def write(folder: Path, name: str, part: str, rows: list[Any]) -> None:
    (folder / name).mkdir(exist_ok=True)
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in rows)
    (folder / name / f"{part}.jsonl").write_text(lines, encoding="utf-8")


def test_every_set_has_a_row(tmp_path: Path) -> None:
    for name, texts in TEXTS.items():
        write(tmp_path, name, "train", [{"text": one} for one in texts[:2]])
        write(tmp_path, name, "dev", [{"text": one} for one in texts[2:]])
    for language, source in SOURCES.items():
        for part in ("train", "dev"):
            write(tmp_path, source.name, part, list(ROWS[language]))
    report = measure(tmp_path)
    assert report.startswith("## Corpora\n")
    assert "| SciTLDR abstracts, en | 4 | 4 | 100.0% | 99% | 100.0% |" in report
    assert "| CSL abstracts, zh | 4 | 4 | 100.0% | 99% | 100.0% |" in report
    assert "| XQuAD, en |" in report and "| CMRC 2018, zh |" in report


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="sum_scitldr"):
        measure(tmp_path)
