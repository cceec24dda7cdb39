"""A text on its way while it grows: numbered chunks, and putting them together again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from lepton_tasks.errors import LeptonError
from lepton_tasks.jobs import Job
from lepton_tasks.states import TERMINAL

MOST_CHARACTERS: Final = 4096
"""Longest text of one chunk."""


class StreamBroken(LeptonError):
    """The stored text does not go on from what was streamed: another worker began anew."""

    code = "stream_broken"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the text of one input of a job.

    ``fence`` is that of the claim that writes, ``index`` counts from 0, ``end`` is set
    in the last one: why the text ended.

    >>> Chunk.load(Chunk(3, 0, "你好").dump())
    Chunk(fence=3, index=0, text='你好', end=None)
    """

    fence: int
    index: int
    text: str
    end: str | None = None

    def dump(self) -> bytes:
        """JSON as it travels."""
        return orjson.dumps([self.fence, self.index, self.text, self.end])

    @classmethod
    def load(cls, data: bytes) -> Chunk:
        """Inverse of :meth:`dump`; raises ValueError for anything else."""
        values = orjson.loads(data)
        if not isinstance(values, list) or len(values) != 4:
            raise ValueError("not a chunk of a text")
        return cls(*values)


@dataclass(frozen=True, slots=True)
class StoredText:
    """What the store has of a job that is over; ``text`` is None where it has no result."""

    text: str | None
    finish_reason: str | None


def stored_text(job: Job, place: int = 0) -> StoredText | None:
    """Read the text of one input of a job; None while the job is not over."""
    if job.state not in TERMINAL:
        return None
    output = job.result["outputs"][place] if job.result is not None else {}
    text, reason = output.get("text"), output.get("finish_reason")
    return StoredText(text, reason or (None if text is not None else job.state.value))


class Assembly:
    """Puts chunks in order and notices when one is missing.

    >>> assembly = Assembly()
    >>> [assembly.take(Chunk(1, index, text)) for index, text in enumerate(["one ", "two "])]
    ['one ', 'two ']
    >>> assembly.take(Chunk(1, 3, "four")), assembly.missed
    ('', True)
    >>> assembly.rest("one two three four")
    'three four'
    """

    def __init__(self) -> None:
        self._fence: int | None = None
        self._next = 0
        self._text: list[str] = []
        self.missed = False
        """Something will never come: only the store has the whole text."""
        self.end: str | None = None
        """Why the text ended, once it has."""

    def take(self, chunk: Chunk) -> str:
        """Return the text that ``chunk`` adds; nothing if it is old or comes after a gap."""
        if self._fence is None or (chunk.fence > self._fence and not any(self._text)):
            self._fence, self._next = chunk.fence, 0
        if self.missed or self.end is not None or chunk.fence < self._fence:
            return ""
        if chunk.fence > self._fence or chunk.index > self._next:
            self.missed = True
            return ""
        if chunk.index < self._next:
            return ""
        self._next += 1
        self._text.append(chunk.text)
        self.end = chunk.end
        return chunk.text

    def rest(self, stored: str) -> str:
        """Return what ``stored``, the whole text, has beyond what was taken.

        Raises:
            StreamBroken: it does not begin with that.
        """
        taken = "".join(self._text)
        if not stored.startswith(taken):
            raise StreamBroken(
                "the text was written anew by another worker; read the job's result instead"
            )
        return stored[len(taken) :]
