"""The encoder's part of a logit, and integrated gradients of it over the tokens of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from workers.engines.bert import Bert
from workers.engines.encoder import SentenceEncoder, TokenSpans
from workers.engines.packed import pack
from workers.engines.trunk import States
from workers.engines.tuned import TunedTop

_TOKENS_AT_ONCE: Final = 512
"""Tokens whose states are kept for going back; some 170 kB a token for six layers of 384."""


@dataclass(frozen=True, slots=True, eq=False)
class EncoderPart:
    """``vector(text) · weights`` for one text, ``weights`` [width] on the encoder's device."""

    encoder: SentenceEncoder
    bert: Bert
    top: TunedTop | None
    weights: torch.Tensor
    tokens: TokenSpans

    @torch.inference_mode()
    def values(self) -> tuple[float, float]:
        """The part of the text, and that of as many blanks."""
        text, blanks = self._value(torch.cat([self._words(), self._blanks()])).tolist()
        return text, blanks

    def attributions(self, steps: int) -> npt.NDArray[np.float64]:
        """What each token adds to the part of blanks: [tokens], special ones 0.

        Integrated gradients (Sundararajan et al. 2017) along the straight line from blanks
        to the text in ``steps`` points of Gauss-Legendre quadrature. They add up to the
        difference of :meth:`values`, except for what so many points miss.
        """
        from captum.attr import IntegratedGradients  # imports matplotlib

        with torch.inference_mode(False), torch.enable_grad():
            found = IntegratedGradients(self._value).attribute(
                self._words().clone(),
                self._blanks().clone(),
                n_steps=steps,
                method="gausslegendre",
                internal_batch_size=max(1, _TOKENS_AT_ONCE // len(self.tokens.ids)),
            )
        values: npt.NDArray[np.float64] = found[0].sum(dim=1).double().cpu().numpy()
        return values

    def _words(self) -> torch.Tensor:
        """Word embeddings [1, tokens, width]."""
        return self._embedded(self.tokens.ids)

    def _blanks(self) -> torch.Tensor:
        return self._embedded(np.where(self.tokens.special, self.tokens.ids, self.encoder.blank()))

    def _embedded(self, ids: npt.NDArray[np.int32]) -> torch.Tensor:
        return self.bert.words(torch.from_numpy(ids).to(self.weights.device))[None]

    def _value(self, words: torch.Tensor) -> torch.Tensor:
        """The part [texts] of word embeddings [texts, tokens, width]."""
        device = self.weights.device
        batch = pack([self.tokens.ids] * len(words), device).to(device)
        layers = self.bert.layers if self.top is None else self.top.layers
        hidden = self.bert.from_words(layers, words.flatten(0, 1), batch)
        return States(hidden, batch.starts).vectors @ self.weights
