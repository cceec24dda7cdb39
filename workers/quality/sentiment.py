"""Measure the default sentiment model on dev parts, through the engine that serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lepton_tasks.nlp.sentiment import Sentiment, SentimentOutput
from workers.offline import shipped_engine
from workers.quality.labelled import accuracy, macro_f1, outputs_of, share
from workers.training.datasets import AG_NEWS, TATOEBA, require
from workers.training.sentiment import HOTEL, SHOPPING, SST2, TWEETS, WAIMAI

_GOALS: Final = {SST2: "0.86", TWEETS: "–", WAIMAI: "0.88", HOTEL: "–", SHOPPING: "0.91"}
_PUBLISHED: Final = {
    SST2: "accuracy 0.949, BERT-large (https://arxiv.org/abs/1810.04805; other split)",
}
_PLAIN: Final = ((AG_NEWS, "text", "en"), (TATOEBA, "en", "en"), (TATOEBA, "zh", "zh"))


def measure(data: Path) -> str:
    """One section of Markdown; raises DataMissing where a set is not in ``data``."""
    require(data, [*_GOALS, AG_NEWS, TATOEBA], ["dev"])
    task = Sentiment()
    engine = shipped_engine(task.name)
    lines = [
        "## Sentiment",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`. In sets of two labels, a text "
        "that is found neutral counts as wrong; the last but one column compares the scores of "
        "positive and negative alone.",
        "",
        "| set (dev) | texts | macro-F1 | accuracy | goal | accuracy of positive or negative "
        "| a full-size model |",
        "|---|---|---|---|---|---|---|",
    ]
    for source, goal in _GOALS.items():
        rows = source.rows(data, "dev")
        truth = [row["label"] for row in rows]
        found = outputs_of(task, engine, [row["text"] for row in rows])
        labels = [one.label for one in found]
        forced = "–"
        if "neutral" not in truth:
            forced = f"{accuracy(truth, [_forced(one) for one in found]):.3f}"
        lines.append(
            f"| {source.name} | {len(rows)} | {macro_f1(truth, labels):.3f} "
            f"| {accuracy(truth, labels):.3f} | {goal} | {forced} "
            f"| {_PUBLISHED.get(source, '–')} |"
        )
    lines += ["", "Plain text, share found neutral:", "", "| set (dev) | texts | neutral |"]
    lines += ["|---|---|---|"]
    for source, field, language in _PLAIN:
        texts = [row[field] for row in source.rows(data, "dev")]
        found = outputs_of(task, engine, texts, {"language": language})
        neutral = share(found, lambda one: one.label == "neutral")
        lines.append(f"| {source.name}, {language} | {len(texts)} | {neutral:.1%} |")
    return "\n".join(lines) + "\n"


def _forced(output: SentimentOutput) -> str:
    scores = output.scores
    return "positive" if scores["positive"] >= scores["negative"] else "negative"
