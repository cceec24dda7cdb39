"""A decoder model as the worker serves it: warmed, with a generator of its own."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GeneratedText
from workers.engines.base import Encoded
from workers.generation.generator import Generator
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel
from workers.generation.requests import Generation, GenerationRequest

Turn = Callable[[], AbstractContextManager[Any]]


class DecoderEngine:
    """Tokenises like every engine; texts come from :meth:`generator`, not from a forward pass."""

    def __init__(self, model: DecoderModel, limits: GenerationLimits) -> None:
        self.name = model.name
        self.revision = model.revision
        self._model = model
        self._limits = limits

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode prompts, in order."""
        return self._model.tokenize(inputs)

    def generator(
        self, may_step: Callable[[], bool] = lambda: True, turn: Turn = nullcontext
    ) -> Generator:
        """Make the thread that runs this model; one at a time, because they share its cache.

        ``may_step`` says whether the lease is fresh, ``turn`` is entered for each pass.
        """
        return Generator(self._model, self._limits, may_step, turn)

    def generate(self, inputs: Sequence[ModelInput]) -> list[GeneratedText]:
        """Generate for all inputs together and wait, as for the examples at warm-up.

        Raises:
            ModelError: the model cannot go on with one of them.
        """
        generator = self.generator()
        generator.start()
        answers: list[queue.SimpleQueue[Generation | Exception]] = []
        try:
            for place, (one, encoded) in enumerate(zip(inputs, self.tokenize(inputs), strict=True)):
                answers.append(queue.SimpleQueue())
                request = GenerationRequest.of(str(place), one, encoded.tokens, 0, "")
                generator.submit(request, answers[-1].put)
            return [_raw(answer.get()) for answer in answers]
        finally:
            generator.stop()


def _raw(outcome: Generation | Exception) -> GeneratedText:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.raw()
