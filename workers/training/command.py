"""What the training commands have in common: their arguments, and what they say while they run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from workers.training.datasets import DataSet

DEFAULT_SEED: Final = 7
"""Seed of the shipped weights."""


def training_parser(
    task: str, description: str, sets: Iterable[DataSet], out: Path
) -> argparse.ArgumentParser:
    """Return a parser of ``--data``, ``--out`` and ``--seed``; ``task`` is the module's name.

    ``sets`` are what is read under ``--data``, named in the help; ``out`` is where the
    shipped weights are.

    >>> parser = training_parser("tea", "Train it.", [], Path("models/tea"))
    >>> parser.parse_args(["--data", "sets"]).seed
    7
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m workers.training.{task}",
        description=description,
        epilog="Data sets wanted under DIR, each as <name>/train.jsonl: "
        + ", ".join(sorted({one.name for one in sets})),
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument(
        "--out", type=Path, default=out, metavar="DIR", help="where to write (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="random seed (%(default)s)")
    return parser


def say(line: str) -> None:
    """Tell who waits how far it is: on standard error, at once."""
    print(line, file=sys.stderr, flush=True)
