"""Training the finder of answers on a few questions written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionItem,
)
from tests.support.questions import ROWS
from workers.engines.answer_finder import build_answer_finder
from workers.engines.folder import read_folder
from workers.features.han import simplified_characters
from workers.training.question_answering import (
    FACTS,
    SOURCES,
    asking,
    foreign_rows,
    main,
    save_folder,
    train,
)
from workers.training.vectors import default_encoder


def test_train_save_load_and_answer(tmp_path: Path) -> None:
    for language, source in SOURCES.items():
        (tmp_path / source.name).mkdir()
        lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in ROWS[language])
        (tmp_path / source.name / "train.jsonl").write_text(lines, encoding="utf-8")
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "command")]) == 0
    found = read_folder(tmp_path / "command")

    encoder, simplified = default_encoder("question-answering"), simplified_characters()
    weights = {
        language: train(rows, language, encoder if language == "en" else None, simplified, 7)
        for language, rows in ROWS.items()
    }
    save_folder(tmp_path / "again", weights, {**FACTS, "seed": 7})
    assert read_folder(tmp_path / "again").revision == found.revision

    engine = build_answer_finder("tiny", found, simplified, encoder, encoder.lane)
    task, options = QuestionAnswering(), QuestionAnsweringOptions(no_answer_below=0.0)
    inputs = [
        task.encode(QuestionItem(question=question, context=context), options)
        for question, context in [
            ("Who built the mill?", "It is late. The mill was built by Emma. We left."),
            ("水井是谁建的？", "天色已晚。水井由陈静建成。我们走了。"),
        ]
    ]
    raws = engine.forward(engine.tokenize(inputs))
    texts = [task.decode(raw, one, options).answer for raw, one in zip(raws, inputs, strict=True)]
    assert texts == ["Emma", "陈静"]


def test_foreign_rows_are_drawn_alike_and_never_the_own_context() -> None:
    rows = ROWS["en"]
    found = list(foreign_rows(rows, False, 7))
    assert found == list(foreign_rows(rows, False, 7))
    own = {one["question"]: one["context"] for one in rows}
    assert found and all(one["context"] != own[one["question"]] for one in found)


def test_rows_that_ask_nothing_are_left_out() -> None:
    assert asking([*ROWS["zh"], {"question": " ", "context": "c"}]) == ROWS["zh"]


def test_missing_data_exits_2_naming_every_set_and_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    for source in SOURCES.values():
        assert source.name in said and source.source in said
