"""Which models are in memory and which must leave to make room: pure, no loading, no clock."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Footprint: TypeAlias = Mapping[Hashable, int]
"""Bytes by piece of memory; models that share a piece name it alike."""


class NoRoom(Exception):
    """``wanted`` bytes do not fit beside the ``staying`` ones, whatever else leaves."""

    def __init__(self, wanted: int, staying: int) -> None:
        super().__init__(f"{wanted} bytes beside {staying}")
        self.wanted = wanted
        self.staying = staying


@dataclass(slots=True)
class Residency:
    """Models in memory under a bound in bytes, 0 for none; ``headroom`` of it stays free.

    >>> memory = Residency(bound=100, headroom=10)
    >>> memory.add("default", {"trunk": 50, "heads": 5}, pinned=True)
    >>> memory.add("old", {"trunk": 50, "others": 20})
    >>> memory.used(), memory.leaving_for(20)
    (75, ['old'])
    >>> memory.leaving_for(15)
    []
    """

    bound: int
    headroom: int = 0
    _models: dict[str, Footprint] = field(default_factory=dict)
    _pinned: set[str] = field(default_factory=set)

    def add(self, name: str, footprint: Footprint, *, pinned: bool = False) -> None:
        """Count a model in, as the one used last; a pinned one never leaves."""
        self._models[name] = footprint
        if pinned:
            self._pinned.add(name)

    def touch(self, name: str) -> None:
        """Remember that the model was used just now."""
        self._models[name] = self._models.pop(name)

    def remove(self, name: str) -> None:
        """Count a model out."""
        del self._models[name]
        self._pinned.discard(name)

    def retire(self, name: str, key: str) -> None:
        """Count a model on under another key, as the first that may leave."""
        self._models = {key: self._models.pop(name), **self._models}
        self._pinned.discard(name)

    def names(self) -> list[str]:
        """Models in memory, least recently used first."""
        return list(self._models)

    def pinned(self, name: str) -> bool:
        """Whether the model never leaves."""
        return name in self._pinned

    def size(self, name: str) -> int:
        """Bytes of a model, those it shares included."""
        return sum(self._models[name].values())

    def own(self, name: str) -> int:
        """Bytes that leave with a model."""
        return self.used() - _total(self._models[other] for other in self._models if other != name)

    def alone(self, name: str) -> set[Hashable]:
        """The pieces of a model that no other has."""
        others = (self._models[other] for other in self._models if other != name)
        return set(self._models[name]).difference(*others)

    def added(self, footprint: Footprint) -> int:
        """Bytes of ``footprint`` that no model in memory has."""
        return _total([*self._models.values(), footprint]) - self.used()

    def used(self) -> int:
        """Bytes of all models, what is shared counted once."""
        return _total(self._models.values())

    def leaving_for(self, wanted: int, kept: Collection[str] = ()) -> list[str]:
        """Models to let go so that ``wanted`` bytes more fit, least recently used first.

        None of them leaves in vain: with any one of them kept there would be no room. Those
        of ``kept`` stay as pinned ones do.

        Raises:
            NoRoom: not even letting all go that may go would do.
        """
        staying = dict(self._models)
        leaving: list[str] = []
        for name in self._models:
            if self._fits(wanted, staying):
                break
            if name not in self._pinned and name not in kept:
                del staying[name]
                leaving.append(name)
        if not self._fits(wanted, staying):
            raise NoRoom(wanted, _total(staying.values()))
        for name in reversed(leaving.copy()):
            if self._fits(wanted, {**staying, name: self._models[name]}):
                staying[name] = self._models[name]
                leaving.remove(name)
        return leaving

    def _fits(self, wanted: int, models: Mapping[str, Footprint]) -> bool:
        return not self.bound or _total(models.values()) + wanted + self.headroom <= self.bound


def _total(footprints: Iterable[Footprint]) -> int:
    pieces: dict[Hashable, int] = {}
    for footprint in footprints:
        pieces.update(footprint)
    return sum(pieces.values())
