"""The runs of ``make chaos``: what each does in full and in short, and what it must show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import (
    clocks,
    disk,
    keys,
    mutations,
    outage,
    overload,
    poison,
    runs,
    swaps,
    webhooks,
)
from tests.chaos.checker import percentile
from tests.chaos.findings import Finding, figures_of
from tests.chaos.rig import Setup
from tests.support.postgres import TestPostgres

ROOT: Final = Path(__file__).parents[2]
BOTH: Final = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a run takes place: an empty database, an empty folder, and how much time there is."""

    database: str
    url: str
    folder: Path
    quick: bool
    say: Callable[[str], None]
    postgres: TestPostgres | None = None

    def size(self, full: int, quick: int) -> int:
        """The one that is asked for."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Section:
    """One line of ``--only``. ``databases`` are those on which it says something."""

    summary: str
    run: Callable[[Scene], Sequence[Finding]]
    databases: Sequence[str] = field(default=BOTH)


def _faults(scene: Scene) -> Sequence[Finding]:
    plan = (runs.few_faults if scene.quick else runs.many_faults)(scene.database)
    setup = Setup(proxied=True, patience=3.0 if scene.quick else None)
    result = runs.under_faults(
        scene.url,
        scene.folder,
        plan,
        scene.size(10_000, 300),
        setup=setup,
        postgres=scene.postgres,
        say=scene.say,
    )
    figures = figures_of(result.verdict) | {"late writes refused": f"{result.refused:,}"}
    wrong = result.verdict.faults() | _not_succeeded(result.verdict.states)
    load = f"{result.verdict.acknowledged:,} jobs"
    title = runs.described(plan)
    return [Finding("G1 G2 G3 G4 G12 G14", title, scene.database, load, wrong, figures)]


def _takeover(scene: Scene) -> Sequence[Finding]:
    times = scene.size(20, 2)
    setup = Setup()
    plan = runs.kills_apart(times)
    result = runs.under_faults(
        scene.url,
        scene.folder,
        plan,
        scene.size(2_000, 100),
        setup=setup,
        say=scene.say,
        most_open=60,
    )
    verdict = result.verdict
    wrong = verdict.faults() | _not_succeeded(verdict.states)
    for fault, took in verdict.recovery.items():
        for share, limit in ((0.5, setup.lease + 1.0), (0.99, 3 * setup.lease)):
            seconds = percentile(took, share) or 0.0
            if not scene.quick and seconds > limit:
                wrong[f"{fault}: {share:.0%} over {limit:.0f} s, ms"] = round(1000 * seconds)
    load = f"{verdict.acknowledged:,} jobs, 2 workers, lease {setup.lease:.0f} s"
    return [Finding("G4", runs.described(plan), scene.database, load, wrong, figures_of(verdict))]


def _stops(scene: Scene) -> Sequence[Finding]:
    plan = runs.stops(scene.size(25, 1))
    jobs = scene.size(2_000, 100)
    result = runs.under_faults(scene.url, scene.folder, plan, jobs, say=scene.say)
    verdict = result.verdict
    wrong = verdict.faults() | _not_succeeded(verdict.states)
    if not result.refused:
        wrong["late writes that were never tried"] = 1
    figures = figures_of(verdict) | {"late writes refused": f"{result.refused:,}"}
    load = f"{verdict.acknowledged:,} jobs, 2 workers"
    return [Finding("G3", runs.described(plan), scene.database, load, wrong, figures)]


def _rolling(scene: Scene) -> Sequence[Finding]:
    times = scene.size(20, 1)
    plan = runs.rolling_restarts(times)
    # A lease that outlives the run: what comes back, was given back by a worker that drained.
    result = runs.under_faults(
        scene.url,
        scene.folder,
        plan,
        scene.size(2_000, 200),
        setup=Setup(lease=3600.0),
        say=scene.say,
    )
    wrong = result.verdict.faults() | _not_succeeded(result.verdict.states)
    if result.crashes:
        wrong["crashes counted"] = result.crashes
    figures = figures_of(result.verdict) | {"crashes counted": str(result.crashes)}
    load = f"{result.verdict.acknowledged:,} jobs, 2 workers"
    return [Finding("G10", runs.described(plan), scene.database, load, wrong, figures)]


def _poison(scene: Scene) -> Sequence[Finding]:
    jobs, every = scene.size(4_000, 80), scene.size(200, 40)
    setup = Setup(item_seconds=0.005)
    verdict, wrong = poison.poison(scene.url, scene.folder, jobs, every, setup)
    bad = jobs // every
    title = f"{bad} inputs that kill the process, {bad} that raise, batches of 32"
    figures = figures_of(verdict) | {name: f"{n:,}" for name, n in verdict.states.items()}
    return [
        Finding("G5 G6", title, scene.database, f"{jobs:,} jobs", verdict.faults() | wrong, figures)
    ]


def _keys(scene: Scene) -> Sequence[Finding]:
    number = scene.size(500, 5)
    wrong = keys.same_key(scene.url, scene.folder, number, 64)
    title = "64 posts of one key at once, then one with another body"
    load = f"{number:,} keys, {64 * number:,} posts"
    return [Finding("G8", title, scene.database, load, wrong, {"jobs": f"{number:,}"})]


def _api(scene: Scene) -> Sequence[Finding]:
    times = scene.size(10, 1)
    wrong, unanswered = keys.killed_after_commit(scene.url, scene.folder, times)
    title = "API SIGKILL after its commit, asked again with the same key"
    if not unanswered:
        wrong["posts that were never cut off"] = 1
    figures = {"posts without an answer": str(unanswered)}
    return [Finding("G8", title, scene.database, f"{times} kills", wrong, figures)]


def _outage(scene: Scene) -> Sequence[Finding]:
    seconds = float(scene.size(60, 3))
    verdict, took = outage.redis_silent(scene.url, scene.folder, seconds)
    wrong = verdict.faults() | _not_succeeded(verdict.states)
    if not scene.quick and took.extra() > 0.3:
        wrong["p99 of submit over its limit, ms"] = round(took.extra() * 1000)
    p99 = [1000 * (percentile(one, 0.99) or 0.0) for one in (took.before, took.during)]
    figures = figures_of(verdict) | {
        "p99 submit before / during": f"{p99[0]:.0f} / {p99[1]:.0f} ms"
    }
    title = f"Redis silent for {seconds:.0f} s"
    load = f"{len(took.during):,} submits one by one"
    return [Finding("G9", title, scene.database, load, wrong, figures)]


def _overload(scene: Scene) -> Sequence[Finding]:
    seconds, alone = float(scene.size(120, 8)), float(scene.size(60, 4))
    came = overload.overload(scene.url, scene.folder, seconds, alone)
    title = f"{overload.TIMES} times the capacity from one tenant for {seconds:.0f} s"
    load = f"{came.busy.offered + came.beside.offered:,} jobs over HTTP, 4 workers"
    wrong = came.wrong(timed=not scene.quick)
    return [Finding("G11", title, scene.database, load, wrong, came.figures())]


def _life(scene: Scene) -> Sequence[Finding]:
    examples = scene.size(5_000, 100)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", scene.database]
    test = "tests/lepton_tasks/store/test_life_of_a_job.py"
    done = subprocess.run(
        [*command, test],
        cwd=ROOT,
        env={**os.environ, "LEPTON_TEST_EXAMPLES": str(examples)},
        capture_output=True,
        text=True,
        check=False,
    )
    (scene.folder / "pytest.log").write_text(done.stdout + done.stderr)
    wrong = {} if done.returncode == 0 else {"failed": 1}
    passed = re.search(r"(\d+) passed", done.stdout)
    figures = {"tests passed": passed[1] if passed else "0"}
    title = "Any order of submit, claim, crash, expire, finish, cancel, redrive (Hypothesis)"
    return [Finding("G13", title, scene.database, f"{examples:,} histories", wrong, figures)]


def _disk(scene: Scene) -> Sequence[Finding]:
    jobs = scene.size(2_000, 100)
    title, guarantee = f"disk of {disk.SIZE_MB} MB full, then room again", "G14"
    try:
        verdict, refused = disk.full_disk(scene.folder, jobs)
    except disk.MountRefused as error:
        verdict, refused = disk.full_database(scene.folder, jobs)
        title = f"SQLite told that its file is full; no disk of its own: {error}".strip()
    wrong = verdict.faults() | _not_succeeded(verdict.states)
    figures = figures_of(verdict) | {"submits refused, and repeated": f"{refused:,}"}
    load = f"{verdict.acknowledged:,} jobs"
    return [Finding(guarantee, title, scene.database, load, wrong, figures)]


def _clock(scene: Scene) -> Sequence[Finding]:
    found = []
    for seconds in (3600.0, -3600.0):
        folder = scene.folder / f"{seconds:+.0f}"
        folder.mkdir()
        url = scene.postgres.fresh_database() if scene.postgres else f"sqlite:///{folder}/store.db"
        verdict, premature = clocks.wrong_clock(
            url,
            folder,
            scene.size(500, 100),
            clocks.shifted(seconds),
            lease=30.0,
            seconds=scene.size(15, 2),
        )
        wrong = verdict.faults() | _not_succeeded(verdict.states)
        if premature:
            wrong["leases ended too soon"] = premature
        figures = figures_of(verdict) | {"leases ended too soon": str(premature)}
        title = f"one worker of two {seconds / 3600:+.0f} h wrong"
        load = f"{verdict.acknowledged:,} jobs"
        found.append(Finding("G15", title, scene.database, load, wrong, figures))
    return found


def _webhooks(scene: Scene) -> Sequence[Finding]:
    events, kills = scene.size(5_000, 200), scene.size(20, 2)
    came = webhooks.at_least_once(scene.url, scene.folder, events, kills)
    title = f"30% answered by 500, a reset or silence; {kills} × sender SIGKILL; waits shortened"
    figures = {"attempts": f"{came.attempts:,}", "sent again": f"{came.again:,}"}
    return [Finding("W1", title, scene.database, f"{events:,} events", came.wrong, figures)]


def _slow(scene: Scene) -> Sequence[Finding]:
    healthy, events = scene.size(49, 9), scene.size(40, 5)
    slowness = webhooks.one_hangs(scene.url, scene.folder, healthy, events)
    wrong = {"healthy events missing": slowness.missing} if slowness.missing else {}
    if not scene.quick and slowness.ratio() > 1.2:
        wrong["p99 over 1.2 times alone, percent"] = round(100 * slowness.ratio())
    p99 = [1000 * (percentile(one, 0.99) or 0.0) for one in (slowness.alone, slowness.beside)]
    figures = {"p99 alone / beside": f"{p99[0]:.0f} / {p99[1]:.0f} ms"}
    title = f"1 endpoint that hangs beside {healthy} healthy ones"
    load = f"{healthy * events:,} events"
    return [Finding("W2", title, scene.database, load, wrong, figures)]


def _swap(scene: Scene) -> Sequence[Finding]:
    found = []
    for with_encoder, what in ((False, "heads over a shared encoder"), (True, "with its encoder")):
        folder = scene.folder / f"{with_encoder}"
        folder.mkdir()
        times, seconds = scene.size(12, 2), float(scene.size(5, 2))
        url = f"sqlite:///{folder}/store.db"
        came = swaps.swaps(url, folder, times, seconds, with_encoder=with_encoder)
        title = f"{times} × another version of {swaps.MODEL}, {what}"
        load = f"{len(came.jobs):,} jobs at {swaps.RATE:.0f}/s, 1 worker"
        wrong = came.wrong(timed=not scene.quick)
        found.append(Finding("swap", title, scene.database, load, wrong, came.figures()))
    return found


def _mutations(scene: Scene) -> Sequence[Finding]:
    found = []
    for safeguard, what in mutations.WHAT.items():
        for taken in (None, safeguard):
            folder = scene.folder / f"{safeguard}-{taken is None}"
            folder.mkdir()
            url = scene.postgres.fresh_database() if scene.postgres else f"sqlite:///{folder}/s.db"
            wrong = mutations.without(taken, safeguard, url, folder)
            state = f"{safeguard} check taken out" if taken else f"with the {safeguard} check"
            found.append(
                Finding("mutation", f"{what}: {state}", scene.database, "", wrong, {}, bool(taken))
            )
    return found


def _not_succeeded(states: object) -> dict[str, int]:
    assert isinstance(states, dict)
    return {f"jobs {name}": count for name, count in states.items() if name != "succeeded"}


SECTIONS: Final = {
    "faults": Section("kills, losses, stops, cuts and restarts under load", _faults),
    "takeover": Section("one worker dies at a time: how soon others do its jobs", _takeover),
    "stops": Section("workers that sleep past their lease, and wake", _stops),
    "rolling": Section("rolling restarts under load", _rolling),
    "poison": Section("inputs that kill or raise among good ones", _poison),
    "keys": Section("one idempotency key, many posts at once", _keys),
    "api": Section("an API that dies before it answers", _api),
    "outage": Section("submits while Redis is silent", _outage),
    "overload": Section("three times the capacity from one tenant", _overload),
    "disk": Section("a disk that fills up", _disk, ("sqlite",)),
    "clock": Section("a worker whose clock is an hour wrong", _clock),
    "webhooks": Section("receivers that fail, senders that die", _webhooks),
    "slow": Section("one endpoint that hangs", _slow, ("sqlite",)),
    "swap": Section("versions of a model swapped into a worker under load", _swap, ("sqlite",)),
    "life": Section("any order of events, by Hypothesis", _life),
    "mutations": Section("each safeguard taken out: the run must fail", _mutations),
}

ALL: Final = [f"{name}/{database}" for name, one in SECTIONS.items() for database in one.databases]
"""Every run, as the report names it."""
