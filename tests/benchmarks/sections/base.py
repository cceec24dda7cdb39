"""The shape of a section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.contenders.base import Bench
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender, interleave
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.verdicts import Verdict

RATE = Metric("rate", "jobs/s")
CPU = Metric("cpu", "worker CPU s per 1,000")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a section: what it may use, and where its figures go."""

    bench: Bench
    sizes: Sizes
    figures: Figures
    say: Callable[[str], None]

    def interleave(self, contenders: Sequence[Contender]) -> None:
        """Measure ``contenders`` in turn for all rounds."""
        interleave(contenders, self.sizes.rounds, self.figures, self.say)


@dataclass(frozen=True, slots=True)
class Section:
    """A named group of measurements.

    ``about`` is the page's paragraph, ``summary`` the line of ``--help``. ``judge`` holds
    the figures against the targets; what is missing is a verdict too.
    """

    name: str
    title: str
    summary: str
    about: str
    metrics: Sequence[Metric]
    run: Callable[[Run], None]
    judge: Callable[[Figures], list[Verdict]]
