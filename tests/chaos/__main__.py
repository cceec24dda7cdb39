"""``python -m tests.chaos``: see ``--help``."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lepton_tasks.launcher.signals import interrupt_on_signals
from tests.benchmarks.machine import facts
from tests.chaos import page
from tests.chaos.findings import Finding
from tests.chaos.options import Options, parse
from tests.chaos.sections import ALL, SECTIONS, Scene
from tests.support.postgres import TestPostgres

_FAILED = 1
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections; returns the exit code."""
    options = parse(arguments)
    console = Console(stderr=True)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with interrupt_on_signals(), _quiet(), _folder(options.keep) as folder:
            held = _run(options, folder, console)
    except KeyboardInterrupt:
        console.print(f"interrupted; what was found is in {options.out}/")
        return _INTERRUPTED
    console.print(f"written to {options.out}/reliability.md")
    return 0 if held else _FAILED


def _run(options: Options, folder: Path, console: Console) -> bool:
    kept = options.out / "reliability.json"
    known, results = page.read(kept)
    steps = [
        (name, database)
        for database in options.databases
        for name in options.sections
        if database in SECTIONS[name].databases
    ]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(steps))
        for name, database in steps:
            label = f"{name}/{database}"

            def say(line: str, label: str = label) -> None:
                progress.update(bar, description=f"{label}: {line}")

            say("begins")
            results[label] = _findings(name, database, options.quick, folder, say)
            known[label] = facts(folder, Path(sys.executable))
            page.write(kept, known, results)
            (options.out / "reliability.md").write_text(page.render(known, results, ALL))
            for one in results[label]:
                console.print(_line(one), highlight=False)
            progress.advance(bar)
    return all(one.held for name, database in steps for one in results[f"{name}/{database}"])


def _findings(
    name: str, database: str, quick: bool, folder: Path, say: Callable[[str], None]
) -> list[Finding]:
    """Run one section; a run that could not end is a finding too, with its reason."""
    place = folder / f"{name}-{database}-{time.time_ns()}"
    place.mkdir()
    began = time.monotonic()
    with _database(database, place) as (url, server):
        scene = Scene(database, url, place, quick, say, server)
        try:
            found = list(SECTIONS[name].run(scene))
        except Exception as error:  # noqa: BLE001 - the other sections go on
            (place / "failure.txt").write_text(traceback.format_exc())
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            failed = {f"run that did not end: {reason}": 1}
            found = [Finding("–", SECTIONS[name].summary, database, "", failed)]
    seconds = round(time.monotonic() - began, 1)
    return [replace(one, seconds=seconds) for one in found]


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[tuple[str, TestPostgres | None]]:
    """An empty database, on a server of its own where it has one, so that it may be restarted."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}", None
        return
    server = TestPostgres()
    try:
        yield server.fresh_database(), server
    finally:
        server.stop()


@contextmanager
def _quiet() -> Iterator[None]:
    """Show no warning: outages are what this is about."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="lepton-chaos-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _line(one: Finding) -> str:
    figures = "; ".join(f"{name} {text}" for name, text in one.figures.items())
    faults = ", ".join(f"{count:,} {name}" for name, count in one.faults.items())
    word = "held  " if one.held else "FAILED"
    shown = "; ".join(filter(None, [figures, faults]))
    return f"{word} {one.guarantees}: {one.title} ({one.database}, {one.seconds} s): {shown}"


if __name__ == "__main__":
    sys.exit(main())
