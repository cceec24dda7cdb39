"""Measure the shipped label sets and zero-shot labels, through the engines that serve them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lepton_tasks.nlp.classification import Classification
from workers.engines.trunks import Trunks
from workers.offline import shipped_engine
from workers.quality.labelled import accuracy, macro_f1, outputs_of
from workers.training.classification import AG_NEWS, BANKING, THUCNEWS
from workers.training.datasets import DataSet, require

_ENGLISH_NAMES: Final = {
    "World": "world politics",
    "Sports": "sports",
    "Business": "business",
    "Sci/Tech": "science and technology",
}
_CHINESE_NAMES: Final = {
    "education": "教育",
    "entertainment": "娱乐",
    "finance": "财经",
    "game": "游戏",
    "politics": "政治",
    "realty": "房产",
    "science": "科技",
    "society": "社会",
    "sports": "体育",
    "stocks": "股票",
}
_CHECKS: Final[tuple[tuple[str, DataSet, dict[str, str] | None, str, str], ...]] = (
    ("topics", AG_NEWS, None, "0.86", "–"),
    ("topics", THUCNEWS, None, "0.84", "–"),
    (
        "intents",
        BANKING,
        None,
        "0.90",
        "accuracy 0.940 of the test part, ModernBERT "
        "(https://huggingface.co/sukhrobnurali/modernbert-base-banking77)",
    ),
    ("labels of the request", AG_NEWS, _ENGLISH_NAMES, "–", "–"),
    ("labels of the request", THUCNEWS, _CHINESE_NAMES, "–", "–"),
)


def measure(data: Path) -> str:
    """One section of Markdown; raises DataMissing where a set is not in ``data``."""
    require(data, [AG_NEWS, BANKING, THUCNEWS], ["dev"])
    task, trunks = Classification(), Trunks()
    lines = [
        "## Classification",
        "",
        "Labels of the request are "
        + "; ".join(", ".join(names.values()) for names in (_ENGLISH_NAMES, _CHINESE_NAMES))
        + ".",
        "",
        "| labels | model | set (dev) | texts | macro-F1 | accuracy | goal | a full-size model |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, source, names, goal, published in _CHECKS:
        options: dict[str, Any] = {"labels": title if names is None else list(names.values())}
        model = task.model_of(task.options_model.model_validate(options))
        engine = shipped_engine(task.name, model, trunks)
        rows = source.rows(data, "dev")
        truth = [row["label"] if names is None else names[row["label"]] for row in rows]
        found = [one.label for one in outputs_of(task, engine, [r["text"] for r in rows], options)]
        lines.append(
            f"| {title} | `{engine.name}` `{engine.revision}` | {source.name} | {len(rows)} "
            f"| {macro_f1(truth, found):.3f} | {accuracy(truth, found):.3f} | {goal} "
            f"| {published} |"
        )
    return "\n".join(lines) + "\n"
