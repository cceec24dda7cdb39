"""Training the picker of sentences on a few texts written here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lepton_tasks.nlp.summarisation import Summarisation, SummarisationOptions
from workers.engines.folder import read_folder
from workers.engines.sentence_picker import build_sentence_picker
from workers.training.datasets import Row
from workers.training.listwise import fit_listwise
from workers.training.summarisation import SOURCES, main

ROWS: dict[str, list[Row]] = {
    "en": [
        {
            "text": f"The {one} is cold. We present a {one} for tea. It rained.",
            "summary": f"a {one} for tea",
            "other_references": [f"tea in a {one}"],
        }
        for one in ("cup", "pot", "bowl")
    ],
    "zh": [
        {"text": f"天气很冷。本文提出{one}的方法。昨天下雨了。", "summary": f"{one}方法"}
        for one in ("煮茶", "做饭", "修灯")
    ],
}


def write_data(data: Path) -> Path:
    for language, source in SOURCES.items():
        (data / source.name).mkdir(parents=True)
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS[language])
        (data / source.name / "train.jsonl").write_text(lines, encoding="utf-8")
    return data


def test_train_save_load_and_pick(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for out in ("one", "two"):
        assert main(["--data", str(data), "--out", str(tmp_path / out)]) == 0
    first, second = read_folder(tmp_path / "one"), read_folder(tmp_path / "two")
    assert first.revision == second.revision

    engine, task = build_sentence_picker("tiny", first), Summarisation()
    options = SummarisationOptions(sentences=1)
    inputs = [
        task.encode("It is late. We present a lid for jars. It rained again.", options),
        task.encode("时间很晚。本文提出洗衣的方法。又下雨了。", options),
    ]
    raws = engine.forward(engine.tokenize(inputs))
    picked = [task.decode(raw, one, options).summary for raw, one in zip(raws, inputs, strict=True)]
    assert picked == ["We present a lid for jars.", "本文提出洗衣的方法。"]


def test_missing_data_exits_2_naming_every_set_and_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    for source in SOURCES.values():
        assert source.name in said and source.source in said


def test_a_listwise_fit_prefers_what_targets_prefer() -> None:
    rows = [np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([[2.0, 5.0], [1.0, 5.0], [0.0, 5.0]])]
    targets = [np.array([0.2, 0.8]), np.array([0.6, 0.3, 0.1])]
    weights = fit_listwise(rows, targets, 0.1)
    assert weights[0] > 0 and abs(weights[1]) < 1e-6
