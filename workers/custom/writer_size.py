"""How large a language model's training is, before anything of it is made. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lepton_tasks.nlp.training import TrainingOptions
from workers.longruns.child import RunFailed

_BYTES: Final = 4
_COPIES: Final = 7
"""Of the weights: they, gradients, two moments, the best ones, and a checkpoint being written."""
_LOGITS: Final = 4
"""Copies of the scores of all tokens of a step, with their gradients."""
_PER_WIDTH, _PER_INNER = 12, 4
"""Numbers that are kept of a token and layer to go back through it."""
_BESIDE: Final = 560 * 1024 * 1024
"""Of Python, torch, transformers and counting n-grams; 700 MB were seen where 743 are said."""


@dataclass(frozen=True, slots=True)
class WriterSize:
    """What a decoder is made of; the numbers of the options, or the usual ones."""

    vocabulary: int
    layers: int
    width: int
    context: int
    batch: int

    @classmethod
    def of(cls, options: TrainingOptions) -> WriterSize:
        """As ``options`` say."""
        return cls(
            options.vocabulary or 4096,
            options.layers or 3,
            options.width or 160,
            options.context or 512,
            options.batch or 4,
        )

    @property
    def inner(self) -> int:
        """Inner width of a layer: a multiple of 16 near 8/3 of the width."""
        return round(self.width * 8 / 3 / 16) * 16

    @property
    def parameters(self) -> int:
        """Numbers that are learned, where the text has pieces for the whole vocabulary."""
        layer = 4 * self.width**2 + 3 * self.width * self.inner + 2 * self.width
        return self.vocabulary * self.width + self.layers * layer + self.width

    @property
    def bytes(self) -> int:
        """Memory that the training needs, about."""
        kept = self.layers * (_PER_WIDTH * self.width + _PER_INNER * self.inner)
        token = _LOGITS * self.vocabulary + kept
        held = _COPIES * self.parameters + self.batch * self.context * token
        return _BESIDE + _BYTES * held

    def check(self, megabytes: int) -> None:
        """Refuse what does not fit.

        Raises:
            RunFailed: it needs more than so much.
        """
        if self.bytes > megabytes * 1024**2:
            raise RunFailed(
                "too_large",
                f"{self.parameters:,} parameters in steps of {self.batch * self.context:,} tokens "
                f"need about {self.bytes / 1024**2:,.0f} MB, and LEPTON_TRAINING_MEMORY_MB of the "
                f"worker allows {megabytes:,}: lower width, layers, vocabulary, context or batch",
            )
