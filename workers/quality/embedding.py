"""How well the default vectors order pairs of sentences as people do."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, cast

import numpy as np
from scipy.stats import spearmanr

from lepton_tasks.nlp.embedding import Embedding, EmbeddingOptions
from workers.engines.base import Engine
from workers.offline import answer_all, shipped_engine
from workers.training.datasets import DataSet
from workers.training.embedding import STS_EN, STS_ZH

_SOURCE: Final = (
    "https://github.com/UKPLab/sentence-transformers/blob/master/docs/pretrained-models/"
    "sts-models.md"
)
_LENGTHS: Final = (None, 256, 128, 64)


def correlation(engine: Engine, data: Path, source: DataSet, dimensions: int | None) -> float:
    """Spearman's rank correlation of cosines with the scores that people gave, dev part."""
    rows = source.rows(data, "dev")
    length = cast("Literal[64, 128, 256] | None", dimensions)
    options = EmbeddingOptions(dimensions=length, language=source.name.removeprefix("sts_"))
    texts = [row[field] for field in ("text", "text2") for row in rows]
    vectors = np.array([one.vector for one in answer_all(Embedding(), engine, texts, options)])
    cosines = (vectors[: len(rows)] * vectors[len(rows) :]).sum(axis=1)
    return float(spearmanr(cosines, [row["score"] for row in rows]).statistic)


def measure(data: Path) -> str:
    """Markdown section for the quality page; raises DataMissing for a set that is not there."""
    engine = shipped_engine("embedding")
    lines = [
        "## Embedding",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`: English by the sentence encoder, "
        "Chinese by hashed n-grams. Spearman's correlation of cosines with the scores of people, "
        "dev parts. N-grams and width were chosen while looking at the Chinese dev figure.",
        "",
        "| set (dev) | pairs | dimensions | Spearman | goal |",
        "|---|---|---|---|---|",
    ]
    for title, source, goal in (("STS en", STS_EN, "0.81"), ("STS zh", STS_ZH, "0.61")):
        pairs = len(source.rows(data, "dev"))
        for length in _LENGTHS:
            found = correlation(engine, data, source, length)
            lines.append(
                f"| {title} | {pairs} | {length or 'all'} | {found:.3f} "
                f"| {'–' if length else goal} |"
            )
    lines += [
        "",
        "Published on the English test part (another split, so a guide only): Universal Sentence "
        f"Encoder 0.749, averaged GloVe vectors 0.580 ([source]({_SOURCE})).",
    ]
    return "\n".join(lines) + "\n"
