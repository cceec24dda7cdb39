"""The report: findings, kept as JSON lines by section and database, as ``docs/reliability.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from tests.chaos.findings import Finding

Results = dict[str, list[Finding]]
"""Findings by ``section/database``, with what they were measured on in ``facts``."""

_HEAD: Final = """\
# What was broken on purpose, and what came of it

Every run uses real processes: a Redis of its own, SQLite or PostgreSQL, `lepton worker` with
its supervisor, the API, webhook senders. A client logs each submit and its answer, each worker
writes down every input before it computes it, and a trigger in the database notes each final
state that is written. A checker holds the four together:

- **lost**: acknowledged, and without a final state when nothing is open any more;
- **twice**: a final state was written over, or a job has two webhook events;
- **re-executed**: computed again, as every system that loses workers must; reported, not hidden;
- **recovery**: from the fault to the end of each job that it took, 50th / 99th percentile. Where
  faults come faster than new worker processes can start, it says how long the work waited for one;
  the runs with one fault at a time (G4) say how soon others take over.

Beside these a run fails on a write of a worker that no longer owned the job, a job nobody
asked for, a key with two jobs, a job without an event, and a job in another final state than
it should have.

The run of three times the capacity (G11) fails where an accepted job is lost, a 429 has no usable
`Retry-After`, a refused job is there all the same, or the other tenant is refused; where fewer than
90% of the jobs a second are done that the same workers did just before without overload; where
the memory of a process grows by more than a tenth (and 16 MB), a bulk job waits more than twice as
long as its share of the workers takes for a full queue, or the other tenant's 99th percentile is
more than twice what it was alone. An input takes the workers 50 ms there, a job of the busy tenant
has 4 and one of the other 16, and window and backlog are sized to that: `tests/chaos/overload.py`.

The runs that swap versions fail where a job is lost or fails, a worker refuses a version, an answer
names a version that no longer served, or the 95th percentile of the jobs that came while a swap was
on is more than 1.5 times that of those between: `tests/chaos/swaps.py`.
"""
_TAIL: Final = """\
## What is not shown here

- A broken CUDA context and running out of GPU memory (G7): they need a GPU. The rules for both are
  tested without one, with errors of the same kind (`tests/workers/test_runner.py`).
- Power cuts. PostgreSQL's immediate restart replays its log, but the system's cache survives it.
- Redis failover to a replica that lags: `tests/chaos/test_failover.py`, in every `make test`.
- Webhook schedules by an injected clock (W3, `tests/lepton_tasks/webhooks/`): no run of
  `make chaos` makes them.
- Retries of webhooks are shortened to a second at most; their real schedule takes days.
- The wrong clock is Python's alone. SQLite asks the process for the time, and all processes of
  one machine share its clock; under libfaketime, which shifts libc's, `time.sleep` fails.

## Run it again

`make chaos` runs all of it; `make chaos DB=sqlite ONLY="faults poison"` a part, which is merged
into this page; `make chaos QUICK=1` a small version of everything, into `build/chaos/`. Small
versions of these runs are part of `make test`.
"""
_SHOWN: Final = ("lost", "twice", "re-executed")


def read(path: Path) -> tuple[dict[str, Any], Results]:
    """Facts and findings of an earlier run; nothing where there was none."""
    if not path.exists():
        return {}, {}
    data = orjson.loads(path.read_bytes())
    return data["facts"], {
        name: [Finding(**one) for one in found] for name, found in data["results"].items()
    }


def write(path: Path, facts: Mapping[str, Any], results: Results) -> None:
    """Keep facts and findings."""
    data = {
        "facts": facts,
        "results": {name: [one.as_json() for one in found] for name, found in results.items()},
    }
    path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2))


def render(facts: Mapping[str, Mapping[str, Any]], results: Results, order: Sequence[str]) -> str:
    """The page. ``order`` names all runs as ``section/database``; ``facts`` are those of each."""
    findings = [one for name in order for one in results.get(name, [])]
    runs = [one for one in findings if one.guarantees != "mutation"]
    mutated = [one for one in findings if one.guarantees == "mutation"]
    held = sum(one.held for one in findings)
    parts = [_HEAD, f"{held} of {len(findings)} runs showed what they should.\n", _machines(facts)]
    parts.append(_table(runs))
    if mutated:
        parts.append(_mutations(mutated))
    if missing := [name for name in order if name not in results]:
        parts.append(f"No outcome here yet: {', '.join(missing)}.\n")
    return "\n".join([*parts, _TAIL])


def _table(findings: Sequence[Finding]) -> str:
    head = [
        "| Guarantee | Fault | Database | Load | Lost | Twice | Re-executed | Figures | Held |",
        "|---|---|---|---|--:|--:|--:|---|---|",
    ]
    return "\n".join(head + [_row(one) for one in findings]) + "\n"


def _row(one: Finding) -> str:
    shown = [one.figures.get(name, "–") for name in _SHOWN]
    more = "; ".join(f"{name} {text}" for name, text in one.figures.items() if name not in _SHOWN)
    held = "yes" if one.held else "**no**: " + _words(one.faults)
    cells = [one.guarantees, one.title, one.database, one.load, *shown, more, held]
    return "| " + " | ".join(cells) + " |"


def _mutations(findings: Sequence[Finding]) -> str:
    lines = [
        "## What each safeguard is for",
        "",
        "The same run, with the safeguard and without it. Without it the run must fail, or it "
        "would not notice if the safeguard broke.",
        "",
        "| Run | Database | Faults found | As it should be |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {one.title} | {one.database} | {_words(one.faults) or 'none'} "
        f"| {'yes' if one.held else '**no**'} |"
        for one in findings
    ]
    return "\n".join(lines) + "\n"


def _words(faults: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in faults.items())


def _machines(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Where and when, each machine and commit once, and how busy the machine was at most."""
    loads: dict[str, float] = {}
    for one in facts.values():
        line = (
            f"- {one['date'][:10]}, commit {one['commit']}"
            f"{' with changes' if one['changed'] else ''}: {one['cpu']}, {one['cores']} cores, "
            f"{one['memory_gib']} GiB, {one['system']}, Python {one['python']}, "
            f"Redis {one['redis']}; load average"
        )
        loads[line] = max(loads.get(line, 0.0), one["load"])
    lines = [f"{line} up to {load:.1f}" for line, load in loads.items()]
    return "Measured on:\n\n" + "\n".join(lines) + "\n"
