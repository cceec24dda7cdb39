"""Embedding: the vector of a text, near those of texts that mean or say much the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.comparing import clean_input
from lepton_tasks.nlp.language import Language


class EmbeddingOptions(TaskOptions):
    """Which vector is wanted.

    ``dimensions`` asks for a shorter one, which is smaller to keep and a little less
    exact; a model whose vectors are not longer than that gives them whole.
    """

    language: Language | None = None
    dimensions: Literal[64, 128, 256] | None = None


class EmbeddingOutput(BaseModel):
    """A vector of Euclidean norm 1, so that a dot product is the cosine.

    ``space`` names what the vector can be compared with: vectors of the same space, and
    no others. Texts of different languages may well be in different spaces. ``language``
    is ``en``, ``zh`` or ``und``. ``truncated`` says that the model read only the
    beginning of the text.
    """

    model_config = ConfigDict(extra="forbid")

    vector: list[float]
    space: str
    language: str
    truncated: bool


class Embedding(Task[EmbeddingOptions, EmbeddingOutput]):
    """Embed one text. The engine's raw result holds ``vector``, ``space`` and ``truncated``."""

    name = "embedding"
    summary = "Turn a text in English or Chinese into a vector that can be compared and searched."
    engine = "embedder"
    options_model = EmbeddingOptions
    output_model = EmbeddingOutput
    examples = (
        Example("How do I get a new card?"),
        Example("怎样才能换一张新卡？"),
        Example("今天股市大涨，投資者信心恢復。", {"dimensions": 256}),
        Example("The parcel came on Monday.", {"dimensions": 128}),
    )

    def encode(self, item: str, options: EmbeddingOptions) -> ModelInput:
        """Clean the text and settle its language: the option, else the script."""
        return clean_input(item, options.language)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: EmbeddingOptions
    ) -> EmbeddingOutput:
        """Shorten the vector as asked, and name its space."""
        vector = folded(raw["vector"], options.dimensions)
        return EmbeddingOutput(
            vector=vector,
            space=f"{raw['space']}/{len(vector)}",
            language=model_input.language,
            truncated=raw["truncated"],
        )


def folded(vector: Sequence[float], dimensions: int | None) -> list[float]:
    """Fold a vector of norm 1 to ``dimensions`` by adding up what lands on the same place.

    The result has norm 1 again. One that is not longer, or None, leaves it whole.

    >>> folded([0.8, 0.0, 0.0, 0.6], 2), folded([0.6, 0.8], 64)
    ([0.8, 0.6], [0.6, 0.8])
    """
    if dimensions is None or len(vector) <= dimensions:
        return list(vector)
    sums = [math.fsum(vector[place::dimensions]) for place in range(dimensions)]
    norm = math.sqrt(math.fsum(one * one for one in sums))
    if norm == 0.0:
        sums, norm = [1.0, *sums[1:]], 1.0
    return [round(one / norm, 7) for one in sums]
