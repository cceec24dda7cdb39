"""What a suspect's runs alone have shown: crashes by input, and when to give up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import orjson

CRASHES_TO_GIVE_UP: Final = 3
"""Crashes alone after which an input is not run any more."""
_MOST_WORKERS: Final = 10


@dataclass(frozen=True, slots=True)
class Crashes:
    """Crashes of a job's inputs, each while it ran alone.

    ``places`` counts them by the input's place, ``unplaced`` those of workers that
    nobody watched: which input it was is not known. ``workers`` names where, the
    latest last.
    """

    places: Mapping[int, int] = field(default_factory=dict)
    unplaced: int = 0
    workers: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All of them.

        >>> Crashes({0: 3, 7: 1}, unplaced=1).total
        5
        """
        return sum(self.places.values()) + self.unplaced

    def after(self, place: int | None, worker: str) -> Self:
        """Count one more on ``worker``, of the input at ``place`` where that is known.

        >>> Crashes({7: 1}).after(7, "gpu-0@here")
        Crashes(places={7: 2}, unplaced=0, workers=('gpu-0@here',))
        >>> Crashes().after(None, "gpu-0@here").unplaced
        1
        """
        workers = (*(name for name in self.workers if name != worker), worker)[-_MOST_WORKERS:]
        if place is None:
            return type(self)(self.places, self.unplaced + 1, workers)
        counted = {**self.places, place: self.places.get(place, 0) + 1}
        return type(self)(counted, self.unplaced, workers)

    def given_up(self, place: int) -> bool:
        """Whether the input at ``place`` is not run any more.

        >>> [Crashes({0: 3, 1: 2}).given_up(place) for place in range(3)]
        [True, False, False]
        """
        return self.places.get(place, 0) >= CRASHES_TO_GIVE_UP

    def are_fatal(self, items: int) -> bool:
        """Whether a job of so many inputs is dead: all crashed, or none knows which did.

        >>> Crashes({0: 3}).are_fatal(1), Crashes({0: 3}).are_fatal(2)
        (True, False)
        >>> Crashes({0: 2}, unplaced=3).are_fatal(2)
        True
        """
        if self.unplaced >= CRASHES_TO_GIVE_UP:
            return True
        return all(self.given_up(place) for place in range(items))

    def order(self, items: int) -> list[int]:
        """Places still to be run: what crashed before comes first, so that it is soon known.

        >>> Crashes({2: 1, 0: 3}).order(4)
        [2, 1, 3]
        """
        left = [place for place in range(items) if not self.given_up(place)]
        return sorted(left, key=lambda place: -self.places.get(place, 0))

    def error(self) -> str:
        """JSON of ``{code, message}`` for a dead job; it names workers and no text.

        >>> print(Crashes({0: 3}, 0, ("gpu-0@a", "gpu-1@b")).error())
        {"code":"dead","message":"its worker died 3 times while it ran alone: gpu-0@a, gpu-1@b"}
        """
        where = ", ".join(self.workers)
        times = "once" if self.total == 1 else f"{self.total} times"
        message = f"its worker died {times} while it ran alone: {where}"
        return orjson.dumps({"code": "dead", "message": message}).decode()

    def dump(self) -> str:
        """JSON, as the store keeps it."""
        return orjson.dumps(
            {
                "places": {str(place): count for place, count in self.places.items()},
                "unplaced": self.unplaced,
                "workers": self.workers,
            }
        ).decode()

    @classmethod
    def load(cls, text: str | None) -> Self:
        """Inverse of :meth:`dump`; nothing has crashed where there is no text.

        >>> Crashes.load(Crashes({7: 2}, 1, ("gpu",)).dump())
        Crashes(places={7: 2}, unplaced=1, workers=('gpu',))
        >>> Crashes.load(None).total
        0
        """
        if text is None:
            return cls()
        data = orjson.loads(text)
        places = {int(place): count for place, count in data["places"].items()}
        return cls(places, data["unplaced"], tuple(data["workers"]))
