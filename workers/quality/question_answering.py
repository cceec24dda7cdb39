"""Measure the default finder of answers: right sentence, SQuAD's F1, and answers that are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionAnsweringOutput,
    QuestionItem,
)
from workers.engines.base import Engine
from workers.offline import shipped_engine
from workers.quality.scoring import micro_batches
from workers.training.command import DEFAULT_SEED
from workers.training.datasets import DataSet, Row
from workers.training.question_answering import CMRC, XQUAD, asking, foreign_rows
from workers.training.squad import exact, f1

SETS: Sequence[tuple[str, DataSet, bool, str]] = (
    ("XQuAD, en", XQUAD, False, "0.75"),
    ("CMRC 2018, zh", CMRC, True, "0.65"),
)


def measure(data: Path) -> str:
    """The section on question-answering, as Markdown. Raises DataMissing without the dev parts."""
    engine = shipped_engine("question-answering")
    lines = [
        "## Question-answering",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`. The right sentence is one in which "
        "a marked answer begins; F1 and exact match as SQuAD scores them, of Chinese by character, "
        "with an answer forced (`no_answer_below` 0). The last columns are at the default "
        "`no_answer_below`: questions that get an answer, and that get none with a context that is "
        "not theirs (of a few drawn the one most like the question). The weights come from the "
        "train parts; features and penalties were chosen while looking at these dev figures.",
        "",
        "| set (dev) | questions | right sentence | goal | F1 | exact | answered "
        "| foreign context: none |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, source, chinese, goal in SETS:
        rows = asking(source.rows(data, "dev"))
        forced = answers(engine, rows, QuestionAnsweringOptions(no_answer_below=0.0))
        usual = answers(engine, rows, QuestionAnsweringOptions())
        foreign = answers(
            engine, list(foreign_rows(rows, chinese, DEFAULT_SEED)), QuestionAnsweringOptions()
        )
        wanted = [[one["text"] for one in row["answers"]] for row in rows]
        found = [one.answer or "" for one in forced]
        figures = [
            np.mean([is_in_sentence(one, row) for one, row in zip(forced, rows, strict=True)]),
            np.mean([f1(one, some) for one, some in zip(found, wanted, strict=True)]),
            np.mean([exact(one, some) for one, some in zip(found, wanted, strict=True)]),
            np.mean([one.answer is not None for one in usual]),
            np.mean([one.answer is None for one in foreign]),
        ]
        first, *rest = [f"{figure:.3f}" for figure in figures]
        lines.append(f"| {title} | {len(rows)} | {first} | {goal} | {' | '.join(rest)} |")
    return "\n".join(lines) + "\n"


def answers(
    engine: Engine, rows: Sequence[Row], options: QuestionAnsweringOptions
) -> list[QuestionAnsweringOutput]:
    """Answers by the serving engine and the task's own decode, in order."""
    task = QuestionAnswering()
    inputs = [
        task.encode(QuestionItem(question=row["question"], context=row["context"]), options)
        for row in rows
    ]
    encoded = engine.tokenize(inputs)
    outputs: dict[int, QuestionAnsweringOutput] = {}
    for places in micro_batches(encoded):
        raws = engine.forward([encoded[place] for place in places])
        for place, raw in zip(places, raws, strict=True):
            outputs[place] = task.decode(raw, inputs[place], options)
    return [outputs[place] for place in range(len(rows))]


def is_in_sentence(output: QuestionAnsweringOutput, row: Row) -> bool:
    """Whether a marked answer begins in the sentence that was found."""
    sentence = output.sentence
    return sentence is not None and any(
        sentence.start <= one["start"] < sentence.end for one in row["answers"]
    )
