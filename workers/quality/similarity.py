"""How well likeness agrees with people, and how surely edited copies are told from other texts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.stats import spearmanr

from lepton_tasks.nlp.similarity import Similarity, SimilarityOptions
from workers.engines.base import Engine
from workers.features.han import simplified_characters
from workers.features.minhash import band_keys
from workers.offline import answer_all, shipped_engine
from workers.quality.edits import edited_copy, units
from workers.training.datasets import DataSet
from workers.training.embedding import STS_EN, STS_ZH

_SEED: Final = 7
_COPIES: Final = 300
_EDITED: Final = 0.2
_COPIED: Final = 0.5
"""Share from which a text counts as a copy."""

SCITLDR = DataSet("sum_scitldr", "https://github.com/allenai/scitldr", "Apache-2.0", '{"text": …}')
CSL_ABSTRACTS = DataSet("sum_csl_zh", "https://github.com/ydli-ai/CSL", "Apache-2.0", '{"text": …}')


@dataclass(frozen=True, slots=True)
class Copies:
    """Shares that were called copied, of edited copies and of pairs of other texts.

    ``candidates`` and ``false_candidates`` are those that MinHash would look at more closely.
    """

    pairs: int
    found: float
    false: float
    candidates: float
    false_candidates: float


def agreement(engine: Engine, data: Path, source: DataSet) -> tuple[int, float, float]:
    """Pairs, Spearman's correlation and mean absolute error of the score, dev part."""
    rows = source.rows(data, "dev")
    options = SimilarityOptions(language=source.name.removeprefix("sts_"))
    pairs = [{"text": row["text"], "other": row["text2"]} for row in rows]
    scores = np.array([one.score for one in answer_all(Similarity(), engine, pairs, options)])
    wanted = np.array([row["score"] for row in rows]) / 5.0
    rank = float(spearmanr(scores, wanted).statistic)
    return len(rows), rank, float(np.abs(scores - wanted).mean())


def copies(engine: Engine, data: Path, source: DataSet) -> Copies:
    """Compare abstracts of the dev part with edited copies of themselves, and of each other."""
    texts = [str(row["text"]) for row in source.rows(data, "dev")][:_COPIES]
    generator = random.Random(_SEED)  # noqa: S311 - a simulation
    vocabulary = sorted({unit for text in texts for unit in units(text)})
    edited = [edited_copy(text, _EDITED, vocabulary, generator) for text in texts]
    options = SimilarityOptions(mode="overlap")

    simplified = simplified_characters()
    keys = [band_keys(text, simplified) for text in texts]
    copied_keys = [band_keys(text, simplified) for text in edited]

    def share_found(originals: list[str]) -> float:
        pairs = [{"text": one, "other": text} for one, text in zip(edited, originals, strict=True)]
        outputs = answer_all(Similarity(), engine, pairs, options)
        return float(np.mean([one.copied_share >= _COPIED for one in outputs]))

    def share_of_candidates(originals: list[list[bytes]]) -> float:
        pairs = zip(copied_keys, originals, strict=True)
        return float(np.mean([not set(enumerate(a)).isdisjoint(enumerate(b)) for a, b in pairs]))

    return Copies(
        len(texts),
        share_found(texts),
        share_found(texts[1:] + texts[:1]),
        share_of_candidates(keys),
        share_of_candidates(keys[1:] + keys[:1]),
    )


def measure(data: Path) -> str:
    """Markdown section for the quality page; raises DataMissing for a set that is not there."""
    engine = shipped_engine("similarity")
    lines = [
        "## Similarity",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`. The score against the scores of "
        "people divided by five, dev parts; its curve was fitted on the train parts.",
        "",
        "| set (dev) | pairs | Spearman | goal | mean absolute error |",
        "|---|---|---|---|---|",
    ]
    for title, source, goal in (("STS en", STS_EN, "0.81"), ("STS zh", STS_ZH, "0.61")):
        pairs, rank, error = agreement(engine, data, source)
        lines.append(f"| {title} | {pairs} | {rank:.3f} | {goal} | {error:.3f} |")
    lines += [
        "",
        "Overlap: abstracts against copies of which up to a fifth of the words (characters in "
        "Chinese) was replaced, left out or added to, punctuation and case changed as well "
        f"(`workers/quality/edits.py`, seed {_SEED}). A text counts as a copy from a copied share "
        f"of {_COPIED} on. `workers/features/minhash.py` finds the candidates among many texts.",
        "",
        "| set (dev) | pairs | edited copies found | goal | other texts called copies "
        "| copies among MinHash candidates | goal | other texts among them |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, source in (("SciTLDR abstracts, en", SCITLDR), ("CSL abstracts, zh", CSL_ABSTRACTS)):
        seen = copies(engine, data, source)
        lines.append(
            f"| {title} | {seen.pairs} | {seen.found:.1%} | 99% | {seen.false:.1%} "
            f"| {seen.candidates:.1%} | 99% | {seen.false_candidates:.1%} |"
        )
    return "\n".join(lines) + "\n"
