"""``python -m workers.quality --data DIR``: measure the default models, a section a task."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

import workers.quality
from lepton_tasks.errors import LeptonError
from workers.quality.page import with_section
from workers.training.datasets import DataMissing

Measure = Callable[[Path], str]
"""Measures one task on the data of a folder; returns its section, as Markdown."""


def find_measures() -> dict[str, Measure]:
    """Every module of this package that has ``measure``, by the task's name."""
    return dict(_measures())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data, a model or a task is missing."""
    measures = find_measures()
    chosen = _parser(measures).parse_args(arguments)
    if unknown := sorted(set(chosen.only) - set(measures)):
        print(
            f"nothing measures {unknown[0]!r}; what can be measured: {', '.join(measures)}",
            file=sys.stderr,
        )
        return 2
    torch.set_num_threads(1)
    page = chosen.out.read_text(encoding="utf-8") if chosen.out and chosen.out.is_file() else ""
    missing = 0
    for name in chosen.only or measures:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            section = measures[name](chosen.data)
        except (DataMissing, LeptonError) as error:
            print(error, file=sys.stderr)
            missing += 1
            continue
        print(section, end="\n\n", flush=True)
        page = with_section(page, section)
        if chosen.out is not None:
            chosen.out.write_text(page, encoding="utf-8")
    return 2 if missing else 0


def _measures() -> Iterator[tuple[str, Measure]]:
    for info in pkgutil.iter_modules(workers.quality.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{workers.quality.__name__}.{info.name}")
        if callable(measure := getattr(module, "measure", None)):
            yield info.name.replace("_", "-"), measure


def _parser(names: Sequence[str] | dict[str, Measure]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.quality",
        description="Measure the default models on labelled data, print a section a task, and "
        "put it into a page. Sections of tasks that are not measured stay as they are.",
        epilog="What can be measured: " + ", ".join(names),
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page; written task by task")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="TASK", help="these tasks; all when left out"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
