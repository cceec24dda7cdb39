"""A decoder model as the worker serves it: an engine whose texts a generator writes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.chat import Chat
from lepton_tasks.nlp.generating import GeneratedText
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded, Engine, Lane, LaneKey, Raw
from workers.errors import ModelError
from workers.generation.limits import GenerationLimits, read_limits
from workers.generation.requests import Generation, GenerationRequest, OnDevice

if TYPE_CHECKING:  # both import transformers, which a worker without decoders does not need
    from workers.generation.generator import Generator
    from workers.generation.model import DecoderModel

Turn = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """``Encoded.tokens`` of a decoder: the token ids, and how to go on from them."""

    ids: Sequence[int]
    model_input: ModelInput

    def request(
        self, request_id: str, rank: int, tenant: str, *, alone: bool = False
    ) -> GenerationRequest:
        """Make a request of it."""
        return GenerationRequest.of(
            request_id, self.model_input, self.ids, rank, tenant, alone=alone
        )


class DecoderEngine:
    """A decoder model as every other engine.

    In a worker its items go to a generator, where they join a running batch at any step;
    ``forward`` generates for a few items and waits, as for a task's examples.
    """

    def __init__(self, model: DecoderModel, limits: GenerationLimits, dtype: str) -> None:
        self.name = model.name
        self.revision = model.revision
        device = str(model.paged.device)
        self.lane = DecoderLane(LaneKey(model.name, model.revision, device, dtype))
        self._model = model
        self._limits = limits
        self._generator: Generator | None = None
        self._lock = threading.Lock()

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode prompts, in order."""
        return [
            Encoded(one.length, Prompt(one.tokens, given))
            for one, given in zip(self._model.tokenize(inputs), inputs, strict=True)
        ]

    def generator(
        self,
        may_step: Callable[[], bool] = lambda: True,
        turn: Turn = nullcontext,
        on_device: OnDevice = lambda ids: None,
    ) -> Generator:
        """Make the thread that runs this model.

        ``may_step`` says whether the lease is fresh, ``turn`` is entered for each pass, and
        ``on_device`` is told of whom it is.

        Raises:
            ModelError: there is one already that has not stopped.
        """
        from workers.generation.generator import Generator

        with self._lock:
            if self._generator is not None and not self._generator.has_stopped():
                raise ModelError(
                    f"{self.name} is writing already, and its cache serves one generator at a "
                    "time: stop that one first"
                )
            self._generator = Generator(self._model, self._limits, may_step, turn, on_device)
            return self._generator

    def forward(self, batch: Sequence[Encoded]) -> list[GeneratedText]:
        """Generate for all of ``batch`` together and wait; one text an item, in order.

        Raises:
            ModelError: the model cannot go on with one of them, or a generator of it runs.
        """
        generator = self.generator()
        generator.start()
        answers: list[queue.SimpleQueue[Generation | Exception]] = []
        try:
            for place, encoded in enumerate(batch):
                answers.append(queue.SimpleQueue())
                generator.submit(encoded.tokens.request(str(place), 0, ""), answers[-1].put)
            return [_raw(answer.get()) for answer in answers]
        finally:
            generator.stop()

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights, buffers, and the cache of keys and values."""
        yield from self._model.paged.tensors()


class DecoderLane(Lane):
    """The lane of one decoder. It has no token budget: its generator bounds what runs."""

    tunable = False

    def __init__(self, key: LaneKey) -> None:
        self.key = key

    def compute(self, prepared: Sequence[tuple[Engine, Encoded]]) -> Sequence[Raw]:
        """Generate for all items and wait."""
        return prepared[0][0].forward([encoded for _, encoded in prepared])


def build_decoder(entry: CatalogueEntry, device: torch.device) -> DecoderEngine:
    """Load the model of ``entry`` onto ``device``.

    Raises:
        CatalogueError: the entry's options are wrong.
        ModelRefused: its folder is incomplete or unsafe, or the model cannot be batched.
    """
    from workers.generation.model import load_decoder

    limits = read_limits(entry)
    dtype = getattr(torch, entry.dtype)
    model = load_decoder(
        entry.name, entry.model_folder, device, dtype, limits, chat=entry.task == Chat.name
    )
    return DecoderEngine(model, limits, entry.dtype)


def _raw(outcome: Generation | Exception) -> GeneratedText:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.raw()
