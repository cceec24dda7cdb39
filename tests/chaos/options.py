"""The command line of ``make chaos``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.sections import BOTH, SECTIONS

_ABOUT = """\
Break a running system on purpose and check what comes of it: no acknowledged job is lost,
none is written twice. In full, each database takes about a quarter of an hour on two cores.

sections:
"""
_EXAMPLES = """
The page and the raw findings are written after each section: reliability.md and
reliability.json below --out. Sections that are not run keep what they have there. Ctrl-C
keeps what was found so far and leaves nothing running.

Exit codes: 0 when every run showed what it should, 1 when one did not, 2 for wrong usage,
130 when interrupted.

examples:
  make chaos                                  everything, into docs/
  make chaos QUICK=1                          a small version, into build/chaos/
  make chaos DB=postgresql ONLY="faults api"  two sections on one database
  python -m tests.chaos --keep /tmp/runs      logs and databases stay there
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run, and where the outcome goes."""

    sections: Sequence[str]
    databases: Sequence[str]
    quick: bool
    out: Path
    keep: Path | None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the process with code 2 for wrong usage.

    >>> chosen = parse(["--quick", "--only", "poison", "--db", "sqlite"])
    >>> chosen.sections, chosen.databases, chosen.out.as_posix()
    (['poison'], ['sqlite'], 'build/chaos')
    """
    width = max(map(len, SECTIONS))
    listed = "".join(f"  {name:{width}}  {one.summary}\n" for name, one in SECTIONS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=_ABOUT + listed,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), metavar="SECTION", help="run these sections"
    )
    parser.add_argument("--db", choices=BOTH, help="run on this database alone")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, help="folder of the outcome (docs, quick: build/chaos)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep logs and databases there")
    found = parser.parse_args(arguments)
    return Options(
        [name for name in SECTIONS if name in (found.only or SECTIONS)],
        [found.db] if found.db else list(BOTH),
        found.quick,
        found.out or Path("build/chaos" if found.quick else "docs"),
        found.keep,
    )
