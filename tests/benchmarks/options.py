"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.children import ROOT
from tests.benchmarks.sections.registry import SECTIONS
from tests.benchmarks.sizes import FULL, QUICK, Sizes, scaled

_ABOUT = """\
Measure lepton-tasks beside its peers and beside the bare model loop, and say which
targets are met. Every measurement has a Redis, a database and a home of its own, and the
systems take turns, so that what slows the machine meets all of them. Run it on a machine
that is otherwise idle: `make bench` takes about half an hour on two cores, `make bench
QUICK=1` a few.

sections:
"""
_EXAMPLES = """
The page, the plots and the raw figures are written after each section: benchmarks.md,
images/bench-*.svg and benchmarks.json below --out. Sections that are not run keep what
they have there. Ctrl-C keeps what is measured so far and leaves nothing running.

Exit codes: 0 when the run went through, missed targets included; 1 when a measurement of
ours failed; 2 for wrong usage; 130 when interrupted.

examples:
  make bench                                    everything, into docs/
  make bench QUICK=1                            a first impression, into build/bench/
  make bench ONLY="queue latency"               two sections again, merged into docs/
  python -m tests.benchmarks --only model --peers /path/to/venv/bin/python
  python -m tests.benchmarks --render           write the page and plots again from the JSON
"""
QUICK_OUT = Path("build/bench")


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, how much of it, and where the outcome goes."""

    sections: Sequence[str]
    sizes: Sizes
    quick: bool
    out: Path
    peers_python: Path
    render: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the process with code 2 for wrong usage.

    >>> chosen = parse(["--quick", "--only", "queue", "model"])
    >>> chosen.sections, chosen.sizes.rounds, chosen.out.as_posix()
    (['queue', 'model'], 1, 'build/bench')
    """
    found = _parser().parse_args(arguments)
    quick = found.quick or found.scale != 1.0
    sizes = scaled(QUICK if found.quick else FULL, found.scale)
    if found.rounds is not None:
        sizes = replace(sizes, rounds=found.rounds)
    return Options(
        sections=[name for name in SECTIONS if name in (found.only or SECTIONS)],
        sizes=sizes,
        quick=quick,
        out=found.out or (QUICK_OUT if quick else Path("docs")),
        peers_python=found.peers,
        render=found.render,
    )


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, SECTIONS))
    listed = "".join(f"  {name:{width}}  {one.summary}\n" for name, one in SECTIONS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=_ABOUT + listed,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), metavar="SECTION", help="run these sections"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument(
        "--rounds", type=_positive, metavar="N", help="rounds of each measurement (3, quick: 1)"
    )
    parser.add_argument(
        "--scale",
        type=_share,
        default=1.0,
        metavar="F",
        help="multiply all sizes, such as 0.02, to try the harness itself out; counts as quick",
    )
    parser.add_argument("--out", type=Path, help="folder of the outcome (docs, quick: build/bench)")
    parser.add_argument(
        "--peers",
        type=Path,
        default=ROOT / ".venv-bench" / "bin" / "python",
        metavar="PYTHON",
        help="interpreter with the peers installed (default: that of .venv-bench)",
    )
    parser.add_argument(
        "--render", action="store_true", help="measure nothing, write page and plots from the JSON"
    )
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 1")
    return value
