"""The texts of a sweep: a task's own examples, stretched to the lengths of short comments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle, islice
from statistics import NormalDist
from typing import Any, Final

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import AnyTask

MEDIAN_WORDS: Final = 26
LONGEST_WORDS: Final = 200
_SPREAD = 0.9
_CHARACTERS_PER_WORD = 2
"""Of a text that is written without spaces."""


def word_counts(count: int) -> list[int]:
    """Lengths in words: evenly spaced quantiles of a log-normal, cut at LONGEST_WORDS.

    >>> counts = word_counts(512)
    >>> counts[0], counts[256], counts[-1], counts.count(200)
    (2, 26, 200, 6)
    """
    normal = NormalDist(math.log(MEDIAN_WORDS), _SPREAD)
    exact = (math.exp(normal.inv_cdf((place + 0.5) / count)) for place in range(count))
    return [min(LONGEST_WORDS, max(1, round(words))) for words in exact]


def stretch(texts: Sequence[str], words: int, start: int) -> str:
    """Repeat the words of ``texts``, from the ``start``-th on, until there are ``words``.

    >>> stretch(["a fine day", "good"], 6, 2)
    'day good a fine day good'
    >>> stretch(["今天天气不错"], 4, 0)
    '今天天气不错今天'
    """
    spaced = any(" " in text for text in texts)
    pieces = [piece for text in texts for piece in (text.split() if spaced else _pairs(text))]
    begin = start % len(pieces)
    return (" " if spaced else "").join(islice(cycle(pieces), begin, begin + words))


def text_mixes(task: AnyTask, model: str, count: int) -> dict[str, list[ModelInput]]:
    """Return ``count`` inputs by language of the task's examples for ``model``, always the same.

    An example that is no plain text cannot be stretched; those are repeated as they are.
    """
    groups: dict[str, list[tuple[Any, Any, ModelInput]]] = {}
    for example, options in task.examples_for(model):
        encoded = task.encode(task.read_item(example.input), options)
        groups.setdefault(encoded.language, []).append((example.input, options, encoded))
    return {language: _mix(task, group, count) for language, group in groups.items()}


def _mix(
    task: AnyTask, group: Sequence[tuple[Any, Any, ModelInput]], count: int
) -> list[ModelInput]:
    texts = [text for text, _, _ in group if isinstance(text, str)]
    if len(texts) < len(group):
        return list(islice(cycle(encoded for _, _, encoded in group), count))
    options = group[0][1]
    return [
        task.encode(stretch(texts, words, place), options)
        for place, words in enumerate(word_counts(count))
    ]


def _pairs(text: str) -> list[str]:
    step = _CHARACTERS_PER_WORD
    return [text[at : at + step] for at in range(0, len(text), step)]
