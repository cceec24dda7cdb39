"""One supervised worker process, as ``lepton worker`` and the embedded system run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lepton_tasks.embedded.commands import WORKER_ENVIRONMENT, worker_command
from lepton_tasks.launcher.backoff import RestartPolicy
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.settings import Settings
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.progress import (
    DEVICE_FAULT_EXIT,
    PROGRESS_VARIABLE,
    ProgressReader,
)
from lepton_tasks.supervisor.streak import CrashStreak
from lepton_tasks.supervisor.watch import Limits, WorkerWatch

_READY_SECONDS: Final = 600.0
"""Loading from a cold disk and the warm-up included."""
_POLICY: Final = RestartPolicy(limit=20)


def worker_spec(
    name: str,
    settings: Settings,
    tasks: Sequence[str],
    node: str,
    progress_file: Path,
    leases: NodeLeases,
    *,
    environment: Mapping[str, str] | None = None,
    max_memory_bytes: int = 0,
) -> ChildSpec:
    """Specify a worker of Celery node ``node``, called ``name`` in reports.

    It is ready when it holds its lease, which is renewed for it while a step of its holds
    the interpreter. It is watched for a hung micro-batch and, unless
    ``max_memory_bytes`` is 0, for its memory. When it dies its lease is ended with the
    word of what it had in work; a death with anything in work is put down to that, for
    the model had run in the warm-up, unless one after another dies of different inputs.
    ``environment`` adds to the settings'.

    Raises:
        OSError: ``progress_file`` cannot be made.
    """
    progress = ProgressReader(progress_file)
    limits = Limits(settings.hung_seconds, max_memory_bytes)

    def keep(worker_id: str) -> None:
        leases.keep(worker_id, settings.lease_seconds)

    streak = CrashStreak()

    def gone() -> str | None:
        nonlocal streak
        last, done = progress.last_words(), progress.count() // 2
        progress.reset()
        leases.end(node, last)
        if last is None or not last.in_work:
            return None
        streak = streak.after(done, last.in_work)
        return f"{last.in_work.describe()} in work and will run alone"

    def give_up() -> str | None:
        if not streak.is_unhealthy:
            return None
        if streak.acquits:
            leases.acquit(streak.jobs)
        return streak.reason()

    return ChildSpec(
        name,
        worker_command(tasks, node, settings.log_level),
        {
            **WORKER_ENVIRONMENT,
            **settings.environment(),
            "LEPTON_SUPERVISED": "true",
            **(environment or {}),
            PROGRESS_VARIABLE: str(progress_file),
        },
        ready=lambda: leases.held(node),
        ready_timeout=_READY_SECONDS,
        policy=_POLICY,
        at_once={DEVICE_FAULT_EXIT: "its device is broken; a new process gets a new context"},
        watch=lambda pid: WorkerWatch(pid, progress, limits, settings.lease_seconds, keep),
        gone=gone,
        give_up=give_up,
    )
