"""Measure explanations by deletion: whether the words that they name matter more than others."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lepton_tasks.nlp.explanation import (
    MOST_SPANS,
    Contribution,
    Explanation,
    ExplanationOptions,
    ExplanationOutput,
)
from lepton_tasks.nlp.moderation import ModerationOptions
from workers.engines.base import Engine
from workers.engines.trunks import Trunks
from workers.offline import shipped_engine
from workers.quality.scoring import moderate
from workers.training.datasets import COLD, DAVIDSON, DataSet, require

SETS: Final = ((DAVIDSON, "en"), (COLD, "zh"))
TEXTS: Final = 200
"""Flagged texts of each set."""
FEWEST_WORDS: Final = 3
SHARE: Final = 0.2
DRAWS: Final = 5
_SEED: Final = 7
_LOOK_AT: Final = 1_000
"""Texts of a set among which flagged ones are looked for."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """By how much the score of one text fell: without the words named, without any others."""

    named: float
    others: float


def without(text: str, spans: Sequence[Contribution]) -> str:
    """``text`` less some spans.

    >>> spans = [Contribution(start=4, end=5, text="b", value=1.0)]
    >>> without("a b b c", spans)
    'a b  c'
    """
    kept, last = [], 0
    for one in sorted(spans, key=lambda span: span.start):
        kept.append(text[last : one.start])
        last = one.end
    return "".join([*kept, text[last:]])


def fewer(text: str, output: ExplanationOutput, chance: random.Random) -> list[str]:
    """``text`` less the fifth of its words that raise the score most, then less random fifths."""
    words = output.contributions
    count = math.ceil(SHARE * len(words))
    named = sorted(words, key=lambda word: -word.value)[:count]
    return [
        without(text, named),
        *(without(text, chance.sample(words, count)) for _ in range(DRAWS)),
    ]


def deletions(
    classifier: Engine, pairs: Sequence[tuple[str, ExplanationOutput]], language: str
) -> list[Deletion]:
    """Score every explained text again with words taken out."""
    chance = random.Random(_SEED)  # noqa: S311
    variants = [one for text, output in pairs for one in fewer(text, output, chance)]
    scored = moderate(classifier, variants, ModerationOptions(language=language)).outputs
    found = []
    for place, (_, output) in enumerate(pairs):
        own = scored[place * (DRAWS + 1) : (place + 1) * (DRAWS + 1)]
        falls = [output.score - one.category_scores[output.label] for one in own]
        found.append(Deletion(falls[0], sum(falls[1:]) / DRAWS))
    return found


def explain(engine: Engine, texts: Sequence[str], language: str) -> list[ExplanationOutput]:
    """Explanations of all words of each text, one text at a time."""
    task = Explanation()
    options = ExplanationOptions(language=language, top=MOST_SPANS)
    found = []
    for text in texts:
        one = task.encode(text, options)
        [raw] = engine.forward(engine.tokenize([one]))
        found.append(task.decode(raw, one, options))
    return found


def measure(data: Path) -> str:
    """The deletion test on flagged texts of dev, as a section in Markdown.

    Raises:
        DataMissing: a set is not there.
    """
    require(data, [one for one, _ in SETS], ["dev"])
    trunks = Trunks()
    classifier = shipped_engine("moderation", trunks=trunks)
    engine = shipped_engine("explanation", trunks=trunks)
    lines = [
        "| set (dev, flagged) | texts | named words matter more | goal | score falls by, named "
        "| random | residual, median | largest | CPU seconds a text |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(classifier, engine, source, data, language) for source, language in SETS]
    return "\n\n".join(
        [
            "## Explanation",
            f"Model `{engine.name}`, revision `{engine.revision}`, explaining the highest label of "
            f"texts that moderation flags (seed {_SEED}). A fifth of the words, those that raise "
            f"the score most, is taken out of a text, and {DRAWS} times a random fifth. Share of "
            "texts whose score falls further without the words named than, on average, without "
            "random ones. The residual is what contributions miss of the logit, without sign.",
            "\n".join(lines),
        ]
    )


def _row(classifier: Engine, engine: Engine, source: DataSet, data: Path, language: str) -> str:
    texts = _flagged(classifier, [row["text"] for row in source.rows(data, "dev")], language)
    began = time.process_time()
    outputs = explain(engine, texts, language)
    seconds = (time.process_time() - began) / len(texts)
    pairs = [
        (text, output)
        for text, output in zip(texts, outputs, strict=True)
        if len(output.contributions) >= FEWEST_WORDS
    ]
    found = deletions(classifier, pairs, language)
    wins = sum(one.named > one.others for one in found) / len(found)
    residuals = [abs(output.residual) for output in outputs]
    return (
        f"| {source.name}, {language} | {len(found)} | {wins:.1%} | 80% "
        f"| {np.mean([one.named for one in found]):.3f} "
        f"| {np.mean([one.others for one in found]):.3f} "
        f"| {np.median(residuals):.1e} | {max(residuals):.1e} | {seconds:.3f} |"
    )


def _flagged(classifier: Engine, texts: list[str], language: str) -> list[str]:
    random.Random(_SEED).shuffle(texts)  # noqa: S311
    texts = texts[:_LOOK_AT]
    outputs = moderate(classifier, texts, ModerationOptions(language=language)).outputs
    return [text for text, one in zip(texts, outputs, strict=True) if one.flagged][:TEXTS]
