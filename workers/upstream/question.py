"""What is asked of an upstream, and what an answer is while it comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from workers.generation.requests import FinishReason
from workers.generation.writing import Written


@dataclass(frozen=True, slots=True)
class Question:
    """What is posted, and where below the base URL."""

    path: str
    body: Mapping[str, Any]

    @property
    def streams(self) -> bool:
        """Whether the answer comes in pieces."""
        return bool(self.body.get("stream"))


class Answer(Protocol):
    """An answer as it comes in, whole or piece by piece."""

    finish_reason: FinishReason | None
    """Why it ended, once it has."""

    def take(self, event: Any) -> str:
        """Take a whole answer or one event of a stream; returns the text that it adds.

        Raises:
            ModelError: it is an error, or none of what was asked for.
        """
        ...

    def result(self) -> Written:
        """The answer, once it has ended. Raises UpstreamBroken where it has not."""
        ...

    def so_far(self, reason: FinishReason) -> Written:
        """What there is of it, ended for that reason."""
        ...
