"""Sends texts to whoever follows them, from a thread of its own: Redis never stops the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import redis

from lepton_tasks.broker.chunks import MOST_CHARACTERS, Chunk
from lepton_tasks.broker.streams import channel, publish
from workers.vital import vital_thread

MOST_PIECES: Final = 4096
"""Pieces that may wait while Redis is slow; what comes then is dropped."""
_REST_SECONDS: Final = 0.02
"""Pause between two sendings: what comes meanwhile goes together."""


@dataclass(slots=True, eq=False)
class TextWriter:
    """The text of one input of a job, as it is sent. Made by :meth:`Streamer.open`."""

    streamer: Streamer
    channel: str
    fence: int
    index: int = 0
    pieces: list[str] = field(default_factory=list)
    end_reason: str | None = None
    dropped: bool = False

    def text(self, piece: str) -> None:
        """Send a piece, soon; returns at once."""
        self.streamer.put(self, piece, None)

    def end(self, reason: str) -> None:
        """Say that the text has ended, and why."""
        self.streamer.put(self, "", reason)

    def chunks(self) -> Iterator[Chunk]:
        """Take what is to be sent; a number is left out where something was dropped."""
        text = "".join(self.pieces)
        self.pieces.clear()
        for start in range(0, len(text), MOST_CHARACTERS):
            yield self._chunk(text[start : start + MOST_CHARACTERS])
        if self.dropped:
            self.dropped = False
            self.index += 1
        if self.end_reason is not None:
            yield self._chunk("", self.end_reason)

    def _chunk(self, text: str, end: str | None = None) -> Chunk:
        self.index += 1
        return Chunk(self.fence, self.index - 1, text, end)


class Streamer:
    """Gathers pieces of all texts and publishes them, many in one round trip."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._changed = threading.Condition()
        self._ready: dict[TextWriter, None] = {}
        self._pieces = 0
        self._closed = False
        self._thread = vital_thread(self._run, "streamer")

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def open(self, job_id: str, fence: int, place: int = 0) -> TextWriter:
        """Return what sends the text of one input of a job, claimed with ``fence``."""
        return TextWriter(self, channel(job_id, place), fence)

    def put(self, writer: TextWriter, piece: str, end: str | None) -> None:
        """Take a piece, or the end, of a writer's text; called by the writer."""
        with self._changed:
            if end is not None:
                writer.end_reason = end
            elif self._pieces >= MOST_PIECES:
                writer.dropped = True
                return
            else:
                writer.pieces.append(piece)
                self._pieces += 1
            self._ready[writer] = None
            self._changed.notify()

    def close(self) -> None:
        """Publish what there is and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._ready and not self._closed:
                    self._changed.wait()
                if not self._ready:
                    return
                chunks = [
                    (writer.channel, chunk) for writer in self._ready for chunk in writer.chunks()
                ]
                self._ready.clear()
                self._pieces = 0
            publish(self._redis, chunks)
            time.sleep(_REST_SECONDS)
