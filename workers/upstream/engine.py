"""A model of another server as the worker serves it: its items go to a desk."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from lepton_tasks.nlp.base import ModelInput, characters_of
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded, Engine, Lane, LaneKey, Raw
from workers.generation.requests import OnDevice
from workers.generation.writing import Written
from workers.upstream.generator import UpstreamGenerator
from workers.upstream.kinds import TEXTS, Kind, kind_of
from workers.upstream.options import UpstreamOptions, read_upstream
from workers.upstream.requests import UpstreamPrompt


class UpstreamEngine:
    """Has items answered by a server that speaks OpenAI's API.

    ``remote`` says that there is nothing to warm: the server may be away when the worker starts,
    and each call of it costs somebody's time.
    """

    remote = True

    def __init__(
        self, name: str, options: UpstreamOptions, key: str | None, kind: Kind = TEXTS
    ) -> None:
        self.name = name
        self.revision = options.model
        self.lane = UpstreamLane(LaneKey(name, options.model, "upstream", "float32"))
        self._options = options
        self._key = key
        self._kind = kind

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Take items as they are, in order; ``length`` is their characters."""
        return [Encoded(max(1, characters_of(one.text)), UpstreamPrompt(one)) for one in inputs]

    def generator(
        self,
        may_step: Callable[[], bool] = lambda: True,
        turn: Callable[[], AbstractContextManager[Any]] = nullcontext,
        on_device: OnDevice = lambda ids: None,
    ) -> UpstreamGenerator:
        """Make the thread that asks. Nothing is on a device here: the last two are not used."""
        return UpstreamGenerator(self.name, self._options, self._key, may_step, self._kind)

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Have all of ``batch`` answered at once and wait; one answer an item, in order.

        Raises:
            ModelError: the upstream is away, or refuses one of them.
        """
        generator = self.generator()
        generator.start()
        answers: list[queue.SimpleQueue[Written | Exception]] = []
        try:
            for place, encoded in enumerate(batch):
                answers.append(queue.SimpleQueue())
                generator.submit(encoded.tokens.request(str(place), 0, ""), answers[-1].put)
            return [_raw(answer.get()) for answer in answers]
        finally:
            generator.stop()

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield none: no memory here is the model's."""
        yield from ()


class UpstreamLane(Lane):
    """The lane of one upstream. It has no token budget: its generator bounds what runs."""

    tunable = False

    def __init__(self, key: LaneKey) -> None:
        self.key = key

    def compute(self, prepared: Sequence[tuple[Engine, Encoded]]) -> Sequence[Raw]:
        """Have all items written and wait."""
        return prepared[0][0].forward([encoded for _, encoded in prepared])


def build_upstream(entry: CatalogueEntry) -> UpstreamEngine:
    """Make the engine of ``entry``; the upstream is not asked.

    Raises:
        CatalogueError: it serves no such task, its options are wrong, or the key's variable is
            not set.
    """
    return UpstreamEngine(entry.name, *read_upstream(entry), kind_of(entry))


def _raw(outcome: Written | Exception) -> Raw:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.raw()
