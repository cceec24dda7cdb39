"""How far the default ranking is ahead of popularity and chance, for simulated users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lepton_tasks.nlp.recommendation import Recommendation, RecommendationOptions
from workers.engines.base import Engine
from workers.offline import answer_all, shipped_engine
from workers.quality.clicks import Visit, at_random, by_popularity, simulate
from workers.training.datasets import BANKING, DataSet
from workers.training.embedding import CSL

_SEED: Final = 7
_USERS: Final = 200
_HIT_AT: Final = 5
_GAIN_AT: Final = 10


def hit_rate(orders: Sequence[Sequence[int]], visits: Sequence[Visit], first: int) -> float:
    """Share of visits with a click among the ``first`` places of their order."""
    return float(
        np.mean(
            [
                bool(visit.clicked & set(order[:first]))
                for order, visit in zip(orders, visits, strict=True)
            ]
        )
    )


def discounted_gain(orders: Sequence[Sequence[int]], visits: Sequence[Visit], first: int) -> float:
    """Normalised discounted cumulative gain of the ``first`` places, mean over visits.

    >>> visit = Visit(("tea",), (0, 1, 2), frozenset({1}))
    >>> [round(discounted_gain([order], [visit], 2), 2) for order in ([1, 0, 2], [0, 1, 2])]
    [1.0, 0.63]
    """
    found = []
    for order, visit in zip(orders, visits, strict=True):
        gains = [1.0 / math.log2(rank + 2) for rank in range(first)]
        gained = sum(
            gain
            for gain, place in zip(gains, order[:first], strict=False)
            if place in visit.clicked
        )
        found.append(gained / sum(gains[: len(visit.clicked)]))
    return float(np.mean(found))


def ranked(
    engine: Engine, visits: Sequence[Visit], pool: Sequence[tuple[str, str]]
) -> list[list[int]]:
    """Each visit's places in the order of the task."""
    items = [
        {"history": visit.history, "items": tuple(pool[place][0] for place in visit.shown)}
        for visit in visits
    ]
    outputs = answer_all(Recommendation(), engine, items, RecommendationOptions())
    return [
        [visit.shown[one.place] for one in output.items]
        for visit, output in zip(visits, outputs, strict=True)
    ]


def set_rows(engine: Engine, data: Path, title: str, source: DataSet) -> list[str]:
    """Table rows of one labelled set: the task, popularity, chance."""
    past, pool = (
        [(str(row["text"]), str(row["label"])) for row in source.rows(data, part)]
        for part in ("train", "dev")
    )
    visits = simulate(past, pool, _USERS, _SEED)
    orders = {
        "recommendation": ranked(engine, visits, pool),
        "popularity": by_popularity(visits),
        "random": at_random(visits, _SEED),
    }
    return [
        f"| {title} | {len(visits)} | {name} | {hit_rate(order, visits, _HIT_AT):.3f} "
        f"| {discounted_gain(order, visits, _GAIN_AT):.3f} |"
        for name, order in orders.items()
    ]


def measure(data: Path) -> str:
    """Markdown section for the quality page; raises DataMissing for a set that is not there."""
    engine = shipped_engine("recommendation")
    lines = [
        "## Recommendation",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`. **Simulated users**, no real ones: "
        "each likes one or two labels of a labelled set and clicks by label, with noise "
        f"(`workers/quality/clicks.py`, seed {_SEED}); the ranking sees texts alone. Ten texts of "
        "history from the train part, 50 items shown from the dev part. Popularity is how many "
        "other users clicked an item. Goal: ahead of both.",
        "",
        f"| labels | users | order | hit@{_HIT_AT} | nDCG@{_GAIN_AT} |",
        "|---|---|---|---|---|",
        *set_rows(engine, data, "banking77 intents, en", BANKING),
        *set_rows(engine, data, "CSL fields of research, zh", CSL),
    ]
    return "\n".join(lines) + "\n"
