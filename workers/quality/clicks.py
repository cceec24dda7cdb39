"""Users who click what is about their topics: histories and choices for measuring a ranking.

Who clicks what goes by the labels of a labelled set, with noise. A ranker sees texts
alone, so it is not measured by its own rule.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HISTORY: Final = 10
_ITEMS: Final = 50
_RELEVANT: Final = 5
_CLICKS_TOPIC: Final = 0.9
_CLICKS_OTHER: Final = 0.03


@dataclass(frozen=True, slots=True)
class Visit:
    """One user: texts clicked before, and places in the pool of what was shown and clicked now."""

    history: tuple[str, ...]
    shown: tuple[int, ...]
    clicked: frozenset[int]


def simulate(
    past: Sequence[tuple[str, str]], pool: Sequence[tuple[str, str]], users: int, seed: int
) -> list[Visit]:
    """Draw ``users`` visits. Both sets are pairs of text and label.

    A user has one or two topics, that is labels. Of ten texts of the history, taken from
    ``past``, about nine are of the topics. Of the pool 50 texts are shown, five of them of
    the topics for certain; a text of the topics is clicked nine times out of ten, another
    three times in a hundred. A user who clicks nothing is drawn again.
    """
    generator = random.Random(seed)  # noqa: S311 - a simulation
    earlier, now = _by_label(past), _by_label(pool)
    labels = sorted(label for label in earlier if len(now.get(label, ())) >= _RELEVANT)
    visits: list[Visit] = []
    while len(visits) < users:
        topics = generator.sample(labels, generator.choice((1, 2)))
        history = tuple(
            past[
                generator.choice(earlier[generator.choice(topics)])
                if generator.random() < _CLICKS_TOPIC
                else generator.randrange(len(past))
            ][0]
            for _ in range(_HISTORY)
        )
        relevant = [place for topic in topics for place in now[topic]]
        shown = generator.sample(relevant, _RELEVANT)
        others = [place for place in range(len(pool)) if place not in set(shown)]
        shown += generator.sample(others, _ITEMS - _RELEVANT)
        generator.shuffle(shown)
        clicked = frozenset(
            place
            for place in shown
            if generator.random() < (_CLICKS_TOPIC if pool[place][1] in topics else _CLICKS_OTHER)
        )
        if clicked:
            visits.append(Visit(history, tuple(shown), clicked))
    return visits


def by_popularity(visits: Sequence[Visit]) -> list[list[int]]:
    """Each visit's places, those first that most other users clicked."""
    clicks = Counter(place for visit in visits for place in visit.clicked)
    return [
        sorted(visit.shown, key=lambda place: -(clicks[place] - (place in visit.clicked)))
        for visit in visits
    ]


def at_random(visits: Sequence[Visit], seed: int) -> list[list[int]]:
    """Each visit's places in an order drawn from ``seed``."""
    generator = random.Random(seed)  # noqa: S311 - a simulation
    return [generator.sample(visit.shown, len(visit.shown)) for visit in visits]


def _by_label(rows: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, (_, label) in enumerate(rows):
        places[label].append(place)
    return places
