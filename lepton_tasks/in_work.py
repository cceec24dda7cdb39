"""Which inputs a worker had in work when it died: on the device, or being encoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import orjson

_EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class InWork:
    """Places of inputs by their job's id; ``everything`` where there were too many to tell.

    >>> left = InWork.of([("job_1", 0), ("job_2", 3), ("job_2", 4)])
    >>> left.names("job_1"), left.place_of("job_1"), left.names("job_3")
    (True, 0, False)
    >>> left.place_of("job_2")
    >>> InWork.load(left.dump()) == left
    True
    >>> InWork.all_of_it().names("job_3")
    True
    """

    places: dict[str, tuple[int, ...]]
    everything: bool = False

    @classmethod
    def of(cls, inputs: Iterable[tuple[str, int]]) -> Self:
        """What is named as (job id, place)."""
        places: dict[str, tuple[int, ...]] = {}
        for job_id, place in inputs:
            places[job_id] = (*places.get(job_id, ()), place)
        return cls(places)

    @classmethod
    def all_of_it(cls) -> Self:
        """Anything that the worker held may have been in work."""
        return cls({}, everything=True)

    def __bool__(self) -> bool:
        """Whether anything was in work."""
        return self.everything or bool(self.places)

    def names(self, job_id: str) -> bool:
        """Whether an input of that job was in work."""
        return self.everything or job_id in self.places

    def place_of(self, job_id: str) -> int | None:
        """The one place of that job that was in work; None where there were several."""
        places = set(self.places.get(job_id, ()))
        return places.pop() if len(places) == 1 else None

    def describe(self) -> str:
        """How much it was, for a sentence.

        >>> InWork.of([("a", 0), ("b", 0), ("b", 1)]).describe()
        '3 inputs of 2 jobs were'
        >>> InWork.of([("a", 7)]).describe()
        'input 7 of job a was'
        """
        if self.everything:
            return "a great many inputs were"
        count = sum(len(places) for places in self.places.values())
        if count == 1:
            [(job_id, places)] = self.places.items()
            return f"input {places[0]} of job {job_id} was"
        return f"{count} inputs of {len(self.places)} jobs were"

    def dump(self) -> str:
        """JSON, as the store keeps it."""
        return orjson.dumps(_EVERYTHING if self.everything else self.places).decode()

    @classmethod
    def load(cls, text: str) -> Self:
        """Inverse of :meth:`dump`."""
        data = orjson.loads(text)
        if data == _EVERYTHING:
            return cls.all_of_it()
        return cls({job_id: tuple(places) for job_id, places in data.items()})
