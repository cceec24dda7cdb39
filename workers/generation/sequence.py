"""One running request: what of it is in the cache, what it said so far, whether it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from workers.generation.paged_cache import Span
from workers.generation.requests import FinishReason, Generation, GenerationRequest, OnDone, OnText
from workers.generation.sampling import Dice, Draw
from workers.generation.text import StopScan, TextDecoder


@dataclass(frozen=True, slots=True)
class Submission:
    """A request and whom to tell; ``on_text`` is None where nobody listens."""

    request: GenerationRequest
    on_text: OnText | None
    on_done: OnDone


class RunningRequest:
    """Reads its prompt in parts, then takes one token a step until it is over."""

    def __init__(
        self,
        submission: Submission,
        blocks: Sequence[int],
        tokenizer: Tokenizer,
        ends: frozenset[int],
    ) -> None:
        """``blocks`` of the cache are its own and hold all its tokens, ``ends`` end its text."""
        self.request = submission.request
        self.blocks = blocks
        self._submission = submission
        self._ends = ends
        self._todo: Sequence[int] = self.request.prompt
        self._cached = 0
        self._written = 0
        self._dice = Dice(self.request.spec)
        self._decoder = TextDecoder(tokenizer)
        self._scan = StopScan(self.request.spec.stop)
        self._pieces: list[str] = []

    @property
    def id(self) -> str:
        """The request's own."""
        return self.request.id

    @property
    def cached(self) -> int:
        """Tokens of it that are in the cache."""
        return self._cached

    @property
    def reads(self) -> bool:
        """Whether more than one token is to be read: the prompt."""
        return len(self._todo) > 1

    def span(self, most: int) -> Span:
        """Return the next tokens to run, ``most`` of them at most."""
        return Span(self._todo[:most], self._cached, self.blocks)

    def ran(self, count: int) -> bool:
        """Note that its next ``count`` tokens are in the cache; True if a new token is due."""
        self._cached += count
        self._todo = self._todo[count:]
        return not self._todo

    def draw(self) -> Draw | None:
        """Return how its next token is drawn. Each call uses up a random number."""
        return self._dice.draw()

    def accept(self, token: int) -> Generation | None:
        """Take the next token; tells who listens, and returns the text if it is over."""
        self._written += 1
        self._todo = (token,)
        reason = None
        if token in self._ends:
            reason = FinishReason.STOP
        else:
            self._emit(self._scan.add(self._decoder.add(token)))
            if self._scan.stopped:
                reason = FinishReason.STOP
            elif self._written >= self.request.spec.max_new_tokens:
                reason = FinishReason.LENGTH
        return None if reason is None else self.end(reason)

    def end(self, reason: FinishReason) -> Generation:
        """Close the text as it is."""
        if not self._scan.stopped:
            self._emit(self._scan.add(self._decoder.finish()))
        self._emit(self._scan.finish())
        return Generation("".join(self._pieces), reason, len(self.request.prompt), self._written)

    def done(self, outcome: Generation | Exception) -> None:
        """Tell whoever waits."""
        self._submission.on_done(outcome)

    def _emit(self, text: str) -> None:
        if not text:
            return
        self._pieces.append(text)
        if self._submission.on_text is not None:
            self._submission.on_text(text)
