"""Measure the default summariser: ROUGE of one sentence against what people wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lepton_tasks.nlp.sentences import split_sentences
from lepton_tasks.nlp.summarisation import Summarisation, SummarisationOptions
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.training.datasets import DataSet, Row
from workers.training.rouge import rouge_l, rouge_n, units
from workers.training.summarisation import CSL, SCITLDR, references

SETS: Sequence[tuple[str, DataSet, str]] = (
    ("SciTLDR abstracts, en", SCITLDR, "0.33"),
    ("CSL abstracts and their titles, zh", CSL, ""),
)


def measure(data: Path) -> str:
    """The section on summarisation, as Markdown. Raises DataMissing without the dev parts."""
    engine = load_engine("summarisation", read_catalogue(DEFAULT_CATALOGUE), "cpu")
    lines = [
        "## Summarisation",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`, extractive, one sentence a text. "
        "ROUGE F-measure, the best over a text's references, without stemming. "
        "A Han character is a word. The weights come from the train parts; features, temperature "
        "and penalty were chosen while looking at these dev figures.",
        "",
        "| set (dev) | texts | of each text | ROUGE-1 | ROUGE-2 | ROUGE-L | goal (ROUGE-1) |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, source, goal in SETS:
        rows = source.rows(data, "dev")
        for name, chosen, mark in (
            ("picked sentence", picked(engine, rows), goal),
            ("first sentence", [first_sentence(row) for row in rows], ""),
            ("best sentence (by ROUGE-1)", [best_sentence(row) for row in rows], ""),
        ):
            scores = np.mean(
                [rouge(one, row) for one, row in zip(chosen, rows, strict=True)], axis=0
            )
            figures = " | ".join(f"{score:.3f}" for score in scores)
            lines.append(f"| {title} | {len(rows)} | {name} | {figures} | {mark or '–'} |")
    return "\n".join(lines) + "\n"


def picked(engine: Engine, rows: Sequence[Row]) -> list[str]:
    """One-sentence summaries by the serving engine and the task's own decode."""
    task, options = Summarisation(), SummarisationOptions(sentences=1)
    inputs = [task.encode(row["text"], options) for row in rows]
    raws = engine.forward(engine.tokenize(inputs))
    return [task.decode(raw, one, options).summary for raw, one in zip(raws, inputs, strict=True)]


def first_sentence(row: Row) -> str:
    """What a summariser without any model would take."""
    return _sentences(row)[0]


def best_sentence(row: Row) -> str:
    """The most that one sentence can reach."""
    return max(_sentences(row), key=lambda one: rouge(one, row)[0])


def rouge(summary: str, row: Row) -> tuple[float, float, float]:
    """ROUGE-1, -2 and -L, each with the nearest of the row's references."""
    found = units(summary)
    wanted = [units(one) for one in references(row)]
    return (
        max(rouge_n(found, one, 1) for one in wanted),
        max(rouge_n(found, one, 2) for one in wanted),
        max(rouge_l(found, one) for one in wanted),
    )


def _sentences(row: Row) -> list[str]:
    text: str = row["text"]
    return [text[start:end] for start, end in split_sentences(text)]
