"""One run: its sections in order, each kept as it ends, and the targets at the end."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import document, page, plots
from tests.benchmarks.children import StepFailed
from tests.benchmarks.contenders.base import Bench
from tests.benchmarks.contenders.tuning import tune
from tests.benchmarks.document import Document, Result
from tests.benchmarks.figures import Figures
from tests.benchmarks.machine import facts
from tests.benchmarks.options import Options
from tests.benchmarks.progress import Progress
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.sections.registry import SECTIONS

_MODEL_SECTIONS = frozenset({"model", "latency", "priority", "poison", "memory"})


def measure(options: Options, progress: Progress) -> Mapping[str, Result]:
    """Run the chosen sections; returns their results.

    After each section page, plots and JSON below ``options.out`` are written.
    """
    results: dict[str, Result] = {}
    with _folder() as folder:
        bench = Bench(folder, options.peers_python.absolute(), options.sizes.limit)
        machine = facts(folder, bench.peers_python)
        if not machine["peers"]:
            progress.say(f"{bench.peers_python} does not run: the peers are left out")
        if _MODEL_SECTIONS & set(options.sections):
            _tune(bench, progress)
        for name in options.sections:
            results[name] = _measure(SECTIONS[name], bench, machine, options, progress)
    return results


def render(folder: Path, held: Document) -> None:
    """Write page and plots of ``held`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    page.write(folder, held)
    plots.write(folder, held)


def _measure(
    section: Section,
    bench: Bench,
    machine: Mapping[str, Any],
    options: Options,
    progress: Progress,
) -> Result:
    progress.say(f"== {section.name}: {section.title}")
    figures = Figures()
    began = time.monotonic()
    complete = False
    try:
        section.run(
            Run(bench, options.sizes, figures, lambda line: progress.say(f"{section.name} {line}"))
        )
        complete = True
    finally:
        result = Result(
            figures,
            section.judge(figures),
            machine,
            options.quick,
            complete,
            time.monotonic() - began,
        )
        held = document.read(options.out)
        if held.put(section.name, result):
            document.write(options.out, held)
            render(options.out, held)
    return result


def _tune(bench: Bench, progress: Progress) -> None:
    try:
        bench.tuned = tune(bench)
    except StepFailed as error:
        progress.say(f"not tuned ({error})")
    tuned = bench.tuned
    progress.say(f"the model runs at {tuned.budget:,} padded tokens, {tuned.threads} thread(s)")


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lepton-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
