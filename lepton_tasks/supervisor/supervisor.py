"""``lepton worker``: one ordinary Celery worker process a device slot, supervised."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lepton_tasks.embedded.commands import WORKER_ENVIRONMENT, worker_command
from lepton_tasks.errors import ConfigError
from lepton_tasks.launcher.backoff import RestartPolicy
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.launcher.signals import interrupt_on_signals, on_hangup
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.progress import (
    DEVICE_FAULT_EXIT,
    PROGRESS_VARIABLE,
    ProgressReader,
)
from lepton_tasks.supervisor.slots import Slot
from lepton_tasks.supervisor.watch import Limits, WorkerWatch

logger = logging.getLogger(__name__)

_READY_SECONDS = 600.0
"""Loading from a cold disk and the warm-up included."""
_DRAIN_MARGIN = 5.0
_POLICY = RestartPolicy(limit=20)
"""Jobs that kill a worker are set aside after a few crashes; they must not end it before."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What to run: ``tasks`` on each of ``slots``, the nodes named after ``name``.

    ``name`` is ``STEM`` or ``STEM@HOST`` with Celery's ``%h`` for this host; no other
    worker may use it. ``max_memory_bytes`` is a process's limit, 0 for none.
    """

    tasks: Sequence[str]
    slots: Sequence[Slot]
    name: str
    max_memory_bytes: int = 0


def supervise(settings: Settings, plan: WorkerPlan, on_ready: Callable[[int], None]) -> None:
    """Run the workers until SIGTERM or SIGINT, which drain them all at once.

    ``on_ready`` is told once how many workers consume, when all of them do. SIGHUP
    restarts them one by one, unless a terminal is attached: there it ends them, as
    a closed terminal does everywhere. Main thread only.

    Raises:
        ChildFailed: a worker did not start, or crashed again and again.
        ConfigError: the name cannot be a node name.
        StoreUnavailable: the database is away.
    """
    nodes = node_names(plan.name, len(plan.slots))
    with contextlib.ExitStack() as stack:
        store = open_store(settings)
        stack.callback(store.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lepton-worker-")))
        leases = NodeLeases(store)
        launcher = Launcher(
            [
                _spec(settings, plan, node, slot, folder / f"progress-{number}", leases)
                for number, (node, slot) in enumerate(zip(nodes, plan.slots, strict=True))
            ],
            None,
            grace=settings.drain_seconds + _DRAIN_MARGIN,
            together=True,
            on_status=logger.info,
        )
        stack.enter_context(interrupt_on_signals())
        if not sys.stderr.isatty():
            stack.enter_context(on_hangup(launcher.renew))
        with contextlib.suppress(KeyboardInterrupt), launcher:
            on_ready(len(nodes))
            launcher.wait()


def node_names(name: str, count: int) -> list[str]:
    """Return a full Celery node name for each of ``count`` workers.

    Raises:
        ConfigError: the name cannot be a node name.

    >>> node_names("gpu@rack7", 2)
    ['gpu-0@rack7', 'gpu-1@rack7']
    >>> node_names("gpu", 1) == [f"gpu-0@{socket.gethostname()}"]
    True
    """
    stem, _, host = name.partition("@")
    host = (host or "%h").replace("%h", socket.gethostname())
    if not stem or "%" in stem + host:
        raise ConfigError(f"--name {name!r} is no node name; give NAME or NAME@%h")
    return [f"{stem}-{number}@{host}" for number in range(count)]


def _spec(
    settings: Settings,
    plan: WorkerPlan,
    node: str,
    slot: Slot,
    progress_file: Path,
    leases: NodeLeases,
) -> ChildSpec:
    progress = ProgressReader(progress_file)
    limits = Limits(settings.hung_seconds, plan.max_memory_bytes)
    return ChildSpec(
        f"{node} ({slot.device})",
        worker_command(plan.tasks, node, settings.log_level),
        {
            **WORKER_ENVIRONMENT,
            **settings.environment(),
            "LEPTON_SUPERVISED": "true",
            **slot.environment,
            PROGRESS_VARIABLE: str(progress_file),
        },
        ready=partial(leases.held, node),
        ready_timeout=_READY_SECONDS,
        policy=_POLICY,
        at_once={DEVICE_FAULT_EXIT: "its device is broken; a new process gets a new context"},
        watch=lambda pid: WorkerWatch(pid, progress, limits),
        gone=partial(leases.end, node),
    )
