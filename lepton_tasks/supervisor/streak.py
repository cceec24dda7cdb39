"""Whether a worker that crashes again and again is to blame itself, not its inputs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from lepton_tasks.in_work import InWork

FEWEST: Final = 5
"""Different inputs that must have been in work before a worker is put down as unhealthy."""
MOST: Final = 64
"""The same for a worker that has computed a great deal."""

_Inputs = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class CrashStreak:
    """Crashes in a row of the processes of one slot, each with inputs in work.

    A process that finishes a micro-batch ends the row. ``proven`` counts the
    micro-batches that all its processes have finished, up to :data:`MOST`.

    An input that ends its worker does so again and again, alone. So a row in which most
    crashes had other inputs in work than those before tells of a broken device, driver
    or model. Yet the last jobs of a queue can be a few dozen that are all bad, and a
    worker that has computed much before them is given as many more.

    >>> def crash(streak, job, done=0):
    ...     return streak.after(done, InWork.of([(job, 0)]))
    >>> new = CrashStreak()
    >>> for job in ("a", "b", "c", "d"):
    ...     new = crash(new, job)
    >>> new.is_unhealthy, crash(new, "d").is_unhealthy, crash(new, "e").is_unhealthy
    (False, False, True)
    >>> crash(new, "e", done=1).crashes
    (frozenset({('e', 0)}),)
    >>> sorted(crash(new, "e").jobs)
    ['a', 'b', 'c', 'd', 'e']
    """

    proven: int = 0
    crashes: tuple[_Inputs, ...] = ()

    def after(self, done: int, in_work: InWork) -> Self:
        """The row with one more crash, of a process that had finished ``done`` micro-batches."""
        inputs = frozenset(
            (job_id, place) for job_id, places in in_work.places.items() for place in places
        )
        before = () if done else self.crashes
        return type(self)(min(MOST, self.proven + done), (*before, inputs)[-2 * MOST :])

    @property
    def is_unhealthy(self) -> bool:
        """Whether the worker is to blame."""
        different = len(set(self.crashes))
        return different >= max(FEWEST, self.proven) and 2 * different > len(self.crashes)

    @property
    def jobs(self) -> set[str]:
        """Ids of the jobs that were in work in this row."""
        return {job_id for inputs in self.crashes for job_id, _ in inputs}

    @property
    def acquits(self) -> bool:
        """Whether the row says nothing about its jobs: this worker never computed anything."""
        return self.is_unhealthy and not self.proven

    def reason(self) -> str:
        """What an operator is told.

        >>> CrashStreak(0, (frozenset(), frozenset({("a", 0)}))).reason()[:48]
        '2 crashes in a row came with different inputs in'
        """
        return (
            f"{len(self.crashes)} crashes in a row came with different inputs in work and no "
            "micro-batch was finished in between, so its device, driver or model is broken, not "
            "the inputs; they wait for another worker"
        )
