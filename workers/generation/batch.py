"""The running batch: who is in it, and one step of it. No threads, no waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import torch

from workers.device_faults import DeviceFault, is_device_fault, is_out_of_memory
from workers.generation.blocks import BlockPool
from workers.generation.model import DecoderModel
from workers.generation.paged_cache import Span
from workers.generation.paged_model import BLOCK_TOKENS
from workers.generation.requests import (
    FinishReason,
    Generation,
    GenerationFailed,
    GenerationRequest,
    OnDevice,
)
from workers.generation.sampling import choose
from workers.generation.sequence import RunningRequest, Submission
from workers.text_free import describe

logger = logging.getLogger(__name__)

LEAST_READ: Final = 16
"""Tokens of its prompt that a request reads a step, however many others read."""
MOST_PADDING: Final = 4096
"""Padded keys of a forward pass beyond which another pass costs less."""

Turn = Callable[[], AbstractContextManager[object]]
"""Gives what is entered for each forward pass: a lock on the device, a progress mark."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A request and its tokens of one pass."""

    request: RunningRequest
    span: Span


class RunningBatch:
    """Requests that own a part of the cache. Every step runs all of them a little further.

    A step reads the next part of prompts and writes one token of each text, so a short
    text is done after as many steps as it has tokens, whatever else runs.
    """

    def __init__(
        self,
        model: DecoderModel,
        most_running: int,
        read_tokens: int,
        turn: Turn,
        on_device: OnDevice = lambda ids: None,
    ) -> None:
        """``on_device`` is told of all requests before each pass, and of none once it went well.

        All of them, because a device may tell of a fault later than in the pass that made it.
        """
        self._model = model
        self._most_running = most_running
        self._read_tokens = read_tokens
        self._turn = turn
        self._on_device = on_device
        self._pool = BlockPool(model.paged.blocks, BLOCK_TOKENS)
        self._running: dict[str, RunningRequest] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._running

    def size(self, request: GenerationRequest) -> int:
        """Return the tokens whose memory it needs: all, where nothing may run beside it."""
        return self._pool.blocks * BLOCK_TOKENS if request.alone else request.most_tokens

    def fits(self, tokens: int) -> bool:
        """Whether a request of that :meth:`size` may join now."""
        if len(self._running) >= self._most_running:
            return False
        return self._pool.needed(tokens) <= self._pool.free

    def join(self, submission: Submission) -> None:
        """Let a request in; all the memory that it may ever need is its own from now on."""
        request = submission.request
        blocks = self._pool.take(self._pool.needed(self.size(request)))
        self._running[request.id] = RunningRequest(
            submission, blocks, self._model.tokenizer, self._model.ends
        )

    def cancel(self, request_id: str) -> None:
        """End a request with the text it has; its memory is free at once."""
        request = self._running[request_id]
        self._leave(request, request.end(FinishReason.CANCELLED))

    def abandon(self) -> list[str]:
        """Drop all requests without a word; returns their ids."""
        ids = list(self._running)
        for request in self._running.values():
            self._pool.give_back(request.blocks)
        self._running.clear()
        return ids

    def step(self) -> None:
        """Run every request one step further, and tell those who are done.

        Raises:
            DeviceFault: the device's context is broken; only a new process gets a new one.
        """
        for work in [*self._reading(), *self._writing()]:
            for part, logits in self._isolated(work):
                if isinstance(logits, Exception):
                    self._leave(part[0].request, logits)
                else:
                    self._advance(part, logits)
                self._on_device(())

    def _reading(self) -> Iterator[Sequence[_Work]]:
        """Parts of prompts, in passes; those who read share the tokens of a step equally."""
        readers = sorted(
            (one for one in self._running.values() if one.reads), key=lambda one: one.cached
        )[: max(1, self._read_tokens // LEAST_READ)]
        if readers:
            share = max(LEAST_READ, self._read_tokens // len(readers))
            yield from _passes([_Work(one, one.span(share)) for one in readers])

    def _writing(self) -> Iterator[Sequence[_Work]]:
        """The last token of each text, in passes."""
        writers = [one for one in self._running.values() if not one.reads]
        yield from _passes([_Work(one, one.span(1)) for one in writers])

    def _isolated(
        self, work: Sequence[_Work]
    ) -> Iterator[tuple[Sequence[_Work], torch.Tensor | Exception]]:
        """Run ``work`` together; where that raises, find the culprits by halving.

        Running out of memory halves, too, and fewer requests run from then on.
        """
        try:
            with self._turn():
                self._on_device(list(self._running))
                logits = self._model.paged.logits([one.span for one in work])
        except Exception as error:
            if is_device_fault(error):
                raise DeviceFault(describe(error)) from error
            if len(work) == 1:
                logger.warning(
                    "request %s: the model raised %s", work[0].request.id, describe(error)
                )
                failed = GenerationFailed(f"the model raised {type(error).__name__}")
                failed.__cause__ = error
                yield work, failed
                return
            if is_out_of_memory(error):
                self._most_running = max(1, min(self._most_running, len(self._running)) // 2)
                logger.warning("out of memory: %d requests run at once now", self._most_running)
        else:
            yield work, logits
            return
        middle = len(work) // 2
        yield from self._isolated(work[:middle])
        yield from self._isolated(work[middle:])

    def _advance(self, work: Sequence[_Work], logits: torch.Tensor) -> None:
        due = [row for row, one in enumerate(work) if one.request.ran(len(one.span.tokens))]
        if not due:
            return
        requests = [work[row].request for row in due]
        tokens = choose(logits[due], [request.draw() for request in requests])
        for request, token in zip(requests, tokens, strict=True):
            if token is None:
                self._leave(request, GenerationFailed("the model's logits are no numbers"))
            elif (generation := request.accept(token)) is not None:
                self._leave(request, generation)

    def _leave(self, request: RunningRequest, outcome: Generation | Exception) -> None:
        del self._running[request.id]
        self._pool.give_back(request.blocks)
        request.done(outcome)


def _passes(work: Sequence[_Work]) -> Iterator[Sequence[_Work]]:
    """Cut ``work`` into forward passes whose padding is bounded, longest first."""
    ordered = sorted(work, key=lambda one: one.span.end, reverse=True)
    ends = [one.span.end for one in ordered]
    start = 0
    for stop in cuts(ends):
        yield ordered[start:stop]
        start = stop


def cuts(lengths: Sequence[int]) -> Iterator[int]:
    """Where passes end in ``lengths``, sorted downwards.

    One long request would have all others padded to its length.

    >>> list(cuts([5000, 300, 200, 100])), list(cuts([900, 300, 200, 100])), list(cuts([]))
    ([1, 4], [4], [])
    """
    longest = padding = 0
    for place, length in enumerate(lengths):
        padding += longest - length
        if place and padding > MOST_PADDING:
            yield place
            longest = 0
        if not longest:
            longest, padding = length, 0
    if lengths:
        yield len(lengths)
