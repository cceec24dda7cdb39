"""The page: what is in the document, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.document import Document, Result
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.plots import FOLDER, drawn
from tests.benchmarks.sections.base import Section
from tests.benchmarks.sections.registry import SECTIONS
from tests.benchmarks.stats import number, spread
from tests.benchmarks.verdicts import Verdict

FILE: Final = "benchmarks.md"
_PREFACE = """\
# Benchmarks

lepton-tasks beside its peers, and beside the model with nothing around it. This page is written
by `make bench`; [benchmarks.json](benchmarks.json) has every round.

**How to read it.** Each system has its turn in every round, on a Redis, a database and a home of
its own, so that what slows the machine for a while meets all of them; a figure is the median of
the rounds, with the least and the most in brackets. A ratio is the median of the rounds' own
ratios. Differences under a third are within what a shared machine does by itself. The peers run
at their documented defaults, on a Redis with our settings (no persistence). They keep jobs and
results in Redis memory; ours commits both to SQL with fsync, and survives the loss of Redis.

**How to repeat it.** `make bench` on a machine that is otherwise idle (about half an hour on two
cores), `make bench QUICK=1` for a first impression in `build/bench/`, and
`make bench ONLY="queue model"` for single sections, which are merged into this page.
`python -m tests.benchmarks --help` has the rest.
"""


def render(document: Document) -> str:
    """The whole page."""
    parts = [_PREFACE]
    chosen = {name: document.results[name] for name in SECTIONS if name in document.results}
    if chosen:
        parts += ["## Targets\n", verdict_table(document)]
        parts += ["## Measured on\n", _machines(chosen)]
    for name, result in chosen.items():
        parts += _section(SECTIONS[name], result)
    return "\n".join(parts).rstrip() + "\n"


def write(folder: Path, document: Document) -> None:
    """Write the page into ``folder``."""
    (folder / FILE).write_text(render(document), encoding="utf-8")


def verdict_table(document: Document) -> str:
    """Every target, by number: figure, baseline, ratio, met, missed or not measured."""
    verdicts: list[Verdict] = []
    for name, section in SECTIONS.items():
        result = document.results.get(name)
        verdicts += section.judge(Figures()) if result is None else result.verdicts
    rows = sorted((verdict.cells() for verdict in verdicts), key=lambda cells: cells[0])
    marked = [[*cells[:-1], f"**{cells[-1]}**"] for cells in rows]
    return table(["target", "what", "figure", "baseline", "ratio", ""], marked, numbers=range(2, 5))


def figures_table(figures: Figures, metrics: Sequence[Metric]) -> str:
    """One row a system, one column a metric that any of them has; failures in the row's end.

    >>> figures = Figures()
    >>> figures.add("a", {"rate": 2.0}); figures.add("a", {"rate": 4.0})
    >>> figures.fail("b", "it did not start")
    >>> print(figures_table(figures, [Metric("rate", "jobs/s")]))
    |  | jobs/s |
    |---|--:|
    | a | 3.00 (2.00–4.00) |
    | b | failed: it did not start |
    <BLANKLINE>
    """
    names = [*figures.values, *(name for name in figures.failures if name not in figures.values)]
    used = [one for one in metrics if any(figures.rounds(name, one.key) for name in names)]
    rows = []
    for name in names:
        cells = [_cell(figures.rounds(name, metric.key)) for metric in used]
        if name in figures.failures:
            failed = f"failed: {_escaped(figures.failures[name])}"
            cells = [failed, *cells[1:]] if not cells or not cells[0] else [*cells, failed]
        rows.append([name, *cells])
    headings = ["", *(metric.heading for metric in used or metrics[:1])]
    return table(headings, rows, numbers=range(1, len(headings)))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: range) -> str:
    """A Markdown table; columns ``numbers`` are aligned to the right."""
    rules = ["--:" if place in numbers else "---" for place in range(len(headings))]
    lines = [f"| {' | '.join(headings)} |", f"|{'|'.join(rules)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _section(section: Section, result: Result) -> list[str]:
    parts = [f"## {section.title}\n", f"{section.about}\n"]
    if not result.complete:
        parts.append("*This run was interrupted: some rounds are missing.*\n")
    if result.quick:
        parts.append("*Measured with small sizes: a first impression.*\n")
    if result.figures.values or result.figures.failures:
        parts.append(figures_table(result.figures, section.metrics))
    plots = drawn(section.name, result.figures)
    parts += [f"![{plot.title}]({FOLDER}/{plot.file})\n" for plot in plots]
    parts += [f"{note}\n" for note in result.figures.notes]
    return parts


def _machines(results: Mapping[str, Result]) -> str:
    described: dict[str, list[str]] = {}
    for name, result in results.items():
        described.setdefault(_machine(result.machine), []).append(f"`{name}`")
    return "".join(f"- {', '.join(names)}: {shown}\n" for shown, names in described.items())


def _machine(machine: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    changed = ", with uncommitted changes" if machine["changed"] else ""
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, "
        f"{machine['system']}, files on {machine['filesystem']}; Python {machine['python']}, "
        f"Redis {machine['redis']}; {packages}; peers: {peers or 'not installed'}; "
        f"commit `{machine['commit']}`{changed}, {machine['date']}, load at the start "
        f"{machine['load']}."
    )


def _cell(rounds: Sequence[float]) -> str:
    if not rounds:
        return ""
    found = spread(rounds)
    if len(rounds) == 1:
        return number(found.median)
    return f"{number(found.median)} ({number(found.least)}–{number(found.most)})"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
