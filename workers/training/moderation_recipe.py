"""What the moderation heads learn from: which label of which data set means which category."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.features.ngrams import NgramSpec
from workers.training.datasets import (
    BANKING,
    COLD,
    DAVIDSON,
    OPENAI,
    TATOEBA,
    TWEET_HATE,
    TWEET_OFFENSIVE,
    DataSet,
    Row,
)

POOLED_HATE = "pooled_hate"
"""A head that is never shipped alone: hate in tweets of two data sets, mixed into others."""

OPENAI_KEYS = {
    "S": "sexual",
    "H": "hate",
    "V": "violence",
    "HR": "harassment",
    "SH": "self-harm",
    "H2": "hate/threatening",
    "V2": "violence/graphic",
}

SPECS = {
    "en": NgramSpec(buckets=1 << 17, characters=(3, 5), words=(1, 2)),
    "zh": NgramSpec(buckets=1 << 17, characters=(1, 4), words=(0, 0)),
}
ENCODED_LANGUAGES = frozenset({"en"})

_BENIGN_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what is known of it; a category that is not in ``labels`` is unknown."""

    text: str
    source: str
    labels: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """How one category's head is trained.

    ``balanced`` gives each label of each source the same total weight, so the
    head does not learn how common a label is in a source. Rows of ``sources``
    without the label count as negatives with ``unknown_weight``; ordinary
    sentences count as negatives with ``benign_weight``. ``pooled_share`` of the
    pooled hate head is added to the logit.
    """

    category: str
    sources: tuple[str, ...]
    balanced: bool = False
    unknown_weight: float = 0.0
    benign_weight: float = 0.0
    pooled_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Source:
    """A data set, the language it is read in, and how one of its rows is labelled."""

    data: DataSet
    language: str
    labels: Callable[[Row], Mapping[str, bool]]
    text_field: str = "text"
    benign: bool = False


def _openai(row: Row) -> Mapping[str, bool]:
    known = row["labels"]
    return {
        category: bool(known[key])
        for key, category in OPENAI_KEYS.items()
        if known.get(key) is not None
    }


def _davidson(row: Row) -> Mapping[str, bool]:
    hate, coarse = row["label"] == "hate", row["label"] != "neither"
    return {
        "identity_attack": hate,
        POOLED_HATE: hate,
        "profanity": coarse,
        "toxicity": coarse,
    }


def _tweet_hate(row: Row) -> Mapping[str, bool]:
    return {POOLED_HATE: row["label"] == "hate"}


def _offensive(row: Row) -> Mapping[str, bool]:
    return {"toxicity": row["label"] == "offensive"}


def _nothing(_: Row) -> Mapping[str, bool]:
    return {}


SOURCES = (
    Source(OPENAI, "en", _openai),
    Source(DAVIDSON, "en", _davidson),
    Source(TWEET_HATE, "en", _tweet_hate),
    Source(TWEET_OFFENSIVE, "en", _offensive),
    Source(COLD, "zh", _offensive),
    Source(TATOEBA, "en", _nothing, text_field="en", benign=True),
    Source(BANKING, "en", _nothing, benign=True),
    Source(TATOEBA, "zh", _nothing, text_field="zh", benign=True),
)
BENIGN = frozenset(source.data.name for source in SOURCES if source.benign)

POOLED_HATE_HEAD = HeadRecipe(
    POOLED_HATE, (DAVIDSON.name, TWEET_HATE.name), balanced=True, benign_weight=0.2
)
HEADS: Mapping[str, tuple[HeadRecipe, ...]] = {
    "en": (
        *(
            HeadRecipe(
                category,
                (OPENAI.name,),
                unknown_weight=0.3,
                benign_weight=0.01,
                pooled_share=0.25 if category.startswith("hate") else 0.0,
            )
            for category in OPENAI_KEYS.values()
        ),
        HeadRecipe("identity_attack", (DAVIDSON.name,), benign_weight=0.5),
        HeadRecipe("profanity", (DAVIDSON.name,), benign_weight=0.5),
        HeadRecipe(
            "toxicity", (DAVIDSON.name, TWEET_OFFENSIVE.name), balanced=True, benign_weight=0.5
        ),
    ),
    "zh": (HeadRecipe("toxicity", (COLD.name,), benign_weight=0.5),),
}


def gather(data: Path, split: str, prepare: Callable[[str], str]) -> dict[str, list[Labelled]]:
    """Read ``split`` of every source, by language; ``prepare`` cleans each text."""
    found: dict[str, list[Labelled]] = {}
    for source in SOURCES:
        rows = source.data.rows(data, split)
        if source.benign:
            rows = rows[:_BENIGN_ROWS]
        found.setdefault(source.language, []).extend(
            Labelled(prepare(row[source.text_field]), source.data.name, source.labels(row))
            for row in rows
        )
    return found
