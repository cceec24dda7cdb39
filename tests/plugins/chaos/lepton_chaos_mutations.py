"""Takes one safeguard out of a worker process, so that a run can show what it is for.

Only this folder of the tests has it: nothing that ships reads ``CHAOS_MUTATION``.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import case, literal, update

import lepton_tasks.audit
import lepton_tasks.reconciler
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.states import JobState
from lepton_tasks.store import claims, recovery
from lepton_tasks.store.claim_statements import finish_statement
from lepton_tasks.store.database import now
from workers.heartbeat import Heartbeat
from workers.runtime import Runtime


def apply(environment: Mapping[str, str]) -> None:
    """Change this process as ``environment`` asks: most often not at all.

    ``CHAOS_MUTATION``: ``fence``, ``epoch`` or ``suspect``. ``CHAOS_OBLIVIOUS``: this worker
    does not notice that it has lost its lease. ``CHAOS_PATIENCE``: seconds after
    which an unclaimed message is looked for, in place of the thirty that a test cannot wait.
    ``CHAOS_CLOCK_SHIFT``: seconds by which Python's clock of this process is wrong.
    """
    if name := environment.get("CHAOS_MUTATION"):
        MUTATIONS[name]()
    if "CHAOS_OBLIVIOUS" in environment:
        Heartbeat.is_fresh = lambda self: True  # type: ignore[method-assign]
        Runtime._drop_what_is_lost = lambda self: None  # type: ignore[method-assign]
    if patience := environment.get("CHAOS_PATIENCE"):
        lepton_tasks.reconciler._LOST_AFTER_SECONDS = float(patience)  # type: ignore[misc]
        lepton_tasks.audit._PAUSE_SECONDS = float(patience)  # type: ignore[misc]
    if shift := environment.get("CHAOS_CLOCK_SHIFT"):
        time.time = functools.partial(_shifted, time.time, float(shift))


def _shifted(clock: Callable[[], float], seconds: float) -> float:
    return clock() + seconds


def _without_fence() -> None:
    """Complete a job by its id alone."""
    finish = claims.ClaimStore.finish

    def by_id_alone(self: Any, finished: Any) -> Any:
        statement = finish_statement(self._database.dialect)
        statement._where_criteria = statement._where_criteria[:1]
        self._finish_statement = statement
        return finish(self, finished)

    claims.ClaimStore.finish = by_id_alone  # type: ignore[method-assign]


def _without_epoch() -> None:
    """Believe that Redis keeps what it was given."""
    Reconciler._check_epoch = lambda self: None  # type: ignore[method-assign]
    lepton_tasks.audit.Auditor.audit = lambda self: 0  # type: ignore[method-assign]


def _without_suspects() -> None:
    """Count a crash against every job that the dead worker held, and run them together again."""

    def end(self: Any, worker_id: str, connection: Any) -> recovery.Recovered:
        jobs = recovery.jobs
        held = (jobs.c.state == "running", jobs.c.worker_id == worker_id)
        over = jobs.c.solo_crashes >= 2
        rows = connection.execute(
            update(jobs)
            .where(*held)
            .values(
                solo_crashes=jobs.c.solo_crashes + 1,
                state=case((over, JobState.DEAD), else_=JobState.QUEUED),
                finished_at=case((over, now()), else_=None),
                published_at=None,
                claim_id=None,
                worker_id=case((over, jobs.c.worker_id), else_=literal(None)),
            )
            .returning(jobs.c.id)
        ).all()
        return recovery.Recovered(queued=len(rows))

    recovery.RecoveryStore._end = end  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {
    "fence": _without_fence,
    "epoch": _without_epoch,
    "suspect": _without_suspects,
}
