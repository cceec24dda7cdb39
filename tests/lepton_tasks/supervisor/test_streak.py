"""A worker that dies whatever it computes is stopped, and its jobs are not to blame."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.crashes import Crashes
from lepton_tasks.in_work import InWork
from lepton_tasks.launcher.errors import ChildFailed
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import open_store
from lepton_tasks.supervisor import spec
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.progress import ProgressReader
from lepton_tasks.supervisor.streak import FEWEST, MOST, CrashStreak
from tests.support.lives import NODE, TASKS, TENANT, a_job, queued

# Takes a suspect, else all that waits, and dies of what it took.
SICK = """
import os, signal, sys
from lepton_tasks.ids import new_id
from lepton_tasks.settings import load_settings
from lepton_tasks.store.store import open_store
from workers.progress import open_progress
node, task, *ids = sys.argv[1:]
store, worker = open_store(load_settings()), new_id("worker")
progress = open_progress()
progress.name(worker)
store.leases.register(worker, node, [task], 600)
store.recovery.recover()
claims = store.suspects.claim(worker, [task]) or store.claims.claim(worker, ids)
with progress.busy():
    progress.device.hold((claim.id, 0) for claim in claims)
    os.kill(os.getpid(), signal.SIGKILL)
"""

crashes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=200)


@given(crashes)
def test_it_takes_different_inputs_and_no_success(row: list[tuple[int, int]]) -> None:
    streak = CrashStreak()
    since: list[int] = []
    done_in_all = 0
    for done, number in row:
        streak = streak.after(done, InWork.of([(f"job_{number}", 0)]))
        done_in_all += done
        since = [number] if done else [*since, number]
        assert len(streak.crashes) <= 2 * MOST
        assert streak.jobs <= {f"job_{one}" for one in since}
        if streak.is_unhealthy:
            assert len(set(since)) >= max(FEWEST, min(MOST, done_in_all))
        assert streak.acquits == (streak.is_unhealthy and done_in_all == 0)


@given(st.integers(1, MOST - 1), st.integers(1, 3))
def test_bad_jobs_at_the_end_of_a_long_run_are_to_blame_themselves(bad: int, rounds: int) -> None:
    streak = CrashStreak().after(MOST, InWork.of([("first", 0)]))
    for number in range(bad * rounds):
        streak = streak.after(0, InWork.of([(f"job_{number % bad}", 0)]))
        assert not streak.is_unhealthy or len(set(streak.crashes)) >= MOST


@pytest.mark.timeout(120)
def test_a_sick_worker_is_stopped_and_its_jobs_are_acquitted(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(settings)
    ids = queued(store, *(a_job() for _ in range(8)))
    command = [sys.executable, "-c", SICK, NODE, TASKS[0], *ids]
    monkeypatch.setattr(spec, "worker_command", lambda *_: command)
    status: list[str] = []
    child = spec.worker_spec("gpu", settings, TASKS, NODE, tmp_path / "progress", NodeLeases(store))
    with (
        pytest.raises(ChildFailed, match="5 crashes in a row came with different inputs"),
        Launcher([child], None, on_status=status.append) as launcher,
    ):
        launcher.wait(90)
    assert sum("starting again at once" in line for line in status) == FEWEST - 1
    for job_id in ids:
        assert store.jobs.get(TENANT, job_id).state is JobState.SUSPECT
    assert store.dead_letters.page(limit=10) == []
    assert [claim.crashes for claim in store.suspects.claim("w", TASKS, 8)] == [Crashes()] * 8
    store.close()


def test_what_a_process_left_is_not_the_next_ones(tmp_path: Path) -> None:
    reader = ProgressReader(tmp_path / "progress")
    content = bytearray(reader.path.read_bytes())
    content[8], content[16] = 1, ord("w")
    reader.path.write_bytes(content)
    assert reader.last_words() is not None
    reader.reset()
    assert reader.last_words() is None
