"""``python -m tests.benchmarks``: see ``--help``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from lepton_tasks.launcher.signals import interrupt_on_signals
from tests.benchmarks import document
from tests.benchmarks.document import Result
from tests.benchmarks.harness import measure, render
from tests.benchmarks.options import parse
from tests.benchmarks.progress import Progress

_FAILED = 1
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the exit code."""
    options = parse(arguments)
    if options.render:
        render(options.out, document.read(options.out))
        return 0
    progress = Progress()
    try:
        with interrupt_on_signals():
            results = measure(options, progress)
    except KeyboardInterrupt:
        progress.say(f"interrupted; what was measured is in {options.out}/")
        return _INTERRUPTED
    for result in results.values():
        for verdict in result.verdicts:
            target, claim, figure, baseline, ratio, word = verdict.cells()
            print(f"{word:13} {target:>4}  {claim}: {figure} to {baseline}, ratio {ratio}")
    progress.say(f"written to {options.out}/")
    return _FAILED if _ours_failed(results) else 0


def _ours_failed(results: Mapping[str, Result]) -> bool:
    peers = ("Celery", "celery-batches", "dramatiq", "huey", "mosec")
    return any(
        not system.startswith(peers)
        for result in results.values()
        for system in result.figures.failures
    )


if __name__ == "__main__":
    sys.exit(main())
