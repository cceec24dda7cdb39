"""Answers of an upstream that are no texts: vectors, and scores of moderation. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import CATEGORIES, DEFAULT_THRESHOLD
from workers.generation.requests import FinishReason
from workers.upstream.errors import UpstreamBroken
from workers.upstream.question import Question

_BELOW: Final = math.nextafter(DEFAULT_THRESHOLD, 0.0)


@dataclass(frozen=True, slots=True)
class Found:
    """What an upstream found for one input, as its task decodes it."""

    values: Mapping[str, Any]
    finish_reason: FinishReason = FinishReason.STOP

    def raw(self) -> Mapping[str, Any]:
        """Return it as a task's ``decode`` takes it."""
        return self.values


def ask_vector(model: str, given: ModelInput) -> Question:
    """Ask for the vector of a text."""
    body = {"model": model, "input": given.text, "encoding_format": "float"}
    return Question("/embeddings", body)


def ask_scores(model: str, given: ModelInput) -> Question:
    """Ask for the scores of a text's categories."""
    return Question("/moderations", {"model": model, "input": given.text})


@dataclass(slots=True)
class VectorAnswer:
    """The vector of one text; ``model`` is the catalogue's name and names the vectors' space."""

    model: str
    found: dict[str, Any] = field(default_factory=dict)
    finish_reason: FinishReason | None = None

    def take(self, event: Any) -> str:
        """Take the answer; no text comes of it.

        Raises:
            UpstreamBroken: it is none.
        """
        try:
            vector = unit([float(one) for one in event["data"][0]["embedding"]])
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise UpstreamBroken(f"{self.model} answered no vector") from error
        self.found = {"vector": vector, "space": self.model, "truncated": False}
        self.finish_reason = FinishReason.STOP
        return ""

    def result(self) -> Found:
        """What was found."""
        return Found(self.found)

    def so_far(self, reason: FinishReason) -> Found:
        """Nothing of use: a vector has no beginning."""
        return Found(self.found, reason)


@dataclass(slots=True)
class ScoresAnswer:
    """Scores of one text; of our categories, those that the upstream has."""

    model: str
    found: dict[str, float] = field(default_factory=dict)
    finish_reason: FinishReason | None = None

    def take(self, event: Any) -> str:
        """Take the answer; no text comes of it.

        Raises:
            UpstreamBroken: it is none.
        """
        try:
            [result] = event["results"]
            flags, scores = result["categories"], result["category_scores"]
            lacks = set(result.get("unsupported_categories") or ())
            self.found = {
                name: placed(float(scores[name]), bool(flags[name]))
                for name in CATEGORIES
                if name in scores and name in flags and name not in lacks
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UpstreamBroken(f"{self.model} answered no scores") from error
        self.finish_reason = FinishReason.STOP
        return ""

    def result(self) -> Found:
        """What was found."""
        return Found(self.found)

    def so_far(self, reason: FinishReason) -> Found:
        """Nothing of use."""
        return Found(self.found, reason)


def unit(vector: Sequence[float]) -> list[float]:
    """Bring a vector to the norm 1, as all of ours have it.

    >>> unit([3.0, 4.0])
    [0.6, 0.8]

    Raises:
        ValueError: it is empty, zero, or holds no numbers.
    """
    norm = math.hypot(*vector)
    if not math.isfinite(norm) or norm == 0.0:
        raise ValueError("no direction")
    return [one / norm for one in vector]


def placed(score: float, flagged: bool) -> float:
    """A score on the side of our threshold on which the upstream's own one has it.

    >>> placed(0.2, True), placed(0.9, True), placed(0.7, False) < 0.5
    (0.5, 0.9, True)

    Raises:
        ValueError: it is none from 0 to 1.
    """
    if not 0.0 <= score <= 1.0:
        raise ValueError("no score")
    return max(score, DEFAULT_THRESHOLD) if flagged else min(score, _BELOW)
