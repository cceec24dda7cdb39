"""Segments in memory, within a bound in bytes: what was used longest ago leaves."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import NamedTuple

from workers.corpora.segment import Segment


class SegmentKey(NamedTuple):
    """A segment as it was at one version of its corpus, whose id is nobody else's."""

    corpus_id: str
    number: int
    version: int


class SegmentCache:
    """Keeps segments that were loaded; one that does not fit is handed out and not kept."""

    def __init__(self, bound: int) -> None:
        """``bound`` is the most bytes that are kept."""
        self._bound = bound
        self._kept: OrderedDict[SegmentKey, Segment] = OrderedDict()
        self._used = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return self._used

    def corpora(self) -> set[str]:
        """Ids of the corpora of which something is kept."""
        with self._lock:
            return {key.corpus_id for key in self._kept}

    def get(self, key: SegmentKey, load: Callable[[], Segment]) -> Segment:
        """Return a segment, loaded where it is not kept; older versions of it leave."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        segment = load()
        with self._lock:
            for other in [one for one in self._kept if one[:2] == key[:2]]:
                self._drop(other)
            if segment.nbytes <= self._bound:
                self._kept[key] = segment
                self._used += segment.nbytes
                while self._used > self._bound:
                    self._drop(next(iter(self._kept)))
        return segment

    def keep_only(self, corpus_id: str, current: Collection[SegmentKey]) -> None:
        """Let go of what is kept of a corpus and is not among ``current``."""
        with self._lock:
            for key in [one for one in self._kept if one.corpus_id == corpus_id]:
                if key not in current:
                    self._drop(key)

    def _drop(self, key: SegmentKey) -> None:
        self._used -= self._kept.pop(key).nbytes
