"""In front of the store: submits of a tenant that has too much waiting are turned away here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from lepton_tasks.errors import Overloaded
from lepton_tasks.jobs import NewJob, Submitted
from lepton_tasks.queues import Priority
from lepton_tasks.store.insertion import Stored
from lepton_tasks.tenant_bound import Line, TenantBound, lines_of


class Shelf(Protocol):
    """What the gate asks of the store."""

    def count_queued(self, tenant: str, task: str, priority: Priority, most: int) -> int:
        """Queued jobs of a tenant in a queue, counted up to ``most``."""
        ...

    def earlier(self, again: Sequence[NewJob]) -> list[Submitted] | None:
        """Answer jobs that have all been submitted before; None where one is new."""
        ...


class Gate:
    """Lets calls through to a commit, or refuses them before they cost a transaction."""

    def __init__(self, shelf: Shelf, most: int) -> None:
        """``most`` is how many jobs of a tenant may wait in a queue; 0 lets everything through."""
        self._shelf = shelf
        self._bound = TenantBound(most) if most else None

    def call(
        self, jobs: Sequence[NewJob], commit: Callable[[Sequence[NewJob]], Stored]
    ) -> list[Submitted]:
        """Have ``jobs`` committed; all that were accepted before are answered at the bound too.

        Raises:
            Overloaded: a line of theirs is full.
            LeptonError: what ``commit`` raises; or the store cannot be used.
        """
        bound = self._bound
        if bound is None:
            return commit(jobs).answers
        counts = lines_of(jobs)
        if unsure := bound.unsure(counts):
            self._count(bound, unsure)
        try:
            bound.enter(counts)
        except Overloaded as refusal:
            return self._earlier(jobs, refusal)
        answers: list[Submitted] = []
        try:
            answers = commit(jobs).answers
        finally:
            bound.leave(counts, _fresh(jobs, answers, counts))
        return answers

    async def call_async(
        self, jobs: Sequence[NewJob], commit: Callable[[Sequence[NewJob]], Awaitable[Stored]]
    ) -> list[Submitted]:
        """:meth:`call` for an event loop: what asks the store has a thread."""
        bound = self._bound
        if bound is None:
            return (await commit(jobs)).answers
        counts = lines_of(jobs)
        if unsure := bound.unsure(counts):
            await asyncio.to_thread(self._count, bound, unsure)
        try:
            bound.enter(counts)
        except Overloaded as refusal:
            return await asyncio.to_thread(self._earlier, jobs, refusal)
        answers: list[Submitted] = []
        try:
            answers = (await commit(jobs)).answers
        finally:
            bound.leave(counts, _fresh(jobs, answers, counts))
        return answers

    def _count(self, bound: TenantBound, lines: Sequence[Line]) -> None:
        left = list(lines)
        try:
            while left:
                bound.saw(left[0], self._shelf.count_queued(*left[0], bound.look_up_to))
                del left[0]
        finally:
            for line in left:
                bound.missed(line)

    def _earlier(self, jobs: Sequence[NewJob], refusal: Overloaded) -> list[Submitted]:
        earlier = self._shelf.earlier(jobs)
        if earlier is None:
            raise refusal
        return earlier


def _fresh(
    jobs: Sequence[NewJob], answers: Sequence[Submitted], counts: Mapping[Line, int]
) -> Mapping[Line, int]:
    """Of ``counts``, the jobs that were stored: all but the repeated ones, none without answers."""
    if not any(answer.replayed for answer in answers):
        return counts if answers else {}
    return lines_of([job for job, one in zip(jobs, answers, strict=True) if not one.replayed])
