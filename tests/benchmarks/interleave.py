"""Rounds in which every system has its turn, so that what slows the machine meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.children import StepFailed
from tests.benchmarks.figures import Figures
from tests.benchmarks.stats import number


@dataclass(frozen=True, slots=True)
class Contender:
    """A system's name and one measurement of it: values by metric."""

    name: str
    measure: Callable[[], Mapping[str, float]]


def interleave(
    contenders: Sequence[Contender], rounds: int, figures: Figures, say: Callable[[str], None]
) -> None:
    """Measure all contenders in turn, ``rounds`` times; each round begins with another one.

    A contender that fails has no further rounds, and why is kept; the others go on.

    >>> figures = Figures()
    >>> turns = [Contender(name, lambda name=name: {"rate": len(name)}) for name in ("a", "bb")]
    >>> interleave(turns, 2, figures, lambda line: None)
    >>> figures.values
    {'a': {'rate': [1, 1]}, 'bb': {'rate': [2, 2]}}
    """
    for contender in contenders:
        figures.values.setdefault(contender.name, {})
    for turn in range(rounds):
        first = turn % len(contenders) if contenders else 0
        for contender in [*contenders[first:], *contenders[:first]]:
            if contender.name in figures.failures:
                continue
            began = time.monotonic()
            try:
                measured = contender.measure()
            except Exception as error:  # noqa: BLE001 - a failing system must not end the run
                figures.fail(contender.name, reason(error))
                shown = f"FAILED: {reason(error)}"
            else:
                figures.add(contender.name, measured)
                shown = ", ".join(f"{name} {number(value)}" for name, value in measured.items())
            took = time.monotonic() - began
            say(f"round {turn + 1}/{rounds}  {contender.name}: {shown}  ({took:.1f} s)")


def reason(error: Exception) -> str:
    """One line that says why a measurement failed.

    >>> reason(StepFailed("the drain: not within 3 s")), reason(KeyError("x"))
    ('the drain: not within 3 s', "KeyError: 'x'")
    """
    shown = str(error) if isinstance(error, StepFailed) else f"{type(error).__name__}: {error}"
    return " ".join(shown.split())[:600]
