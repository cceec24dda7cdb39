"""``lepton worker``: one ordinary Celery worker process a device slot, supervised."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton_tasks.broker.connection import check_redis_if_there, connect
from lepton_tasks.errors import ConfigError
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.launcher.signals import interrupt_on_signals, on_hangup
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.slots import Slot
from lepton_tasks.supervisor.spec import worker_spec

logger = logging.getLogger(__name__)

_DRAIN_MARGIN = 5.0
_REDIS_SECONDS = 5.0


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
        BrokerUnavailable: Redis is there, and is none to use.
        StoreUnavailable: the database cannot be used.
    """
    nodes = node_names(plan.name, len(plan.slots))
    with contextlib.ExitStack() as stack:
        check_redis_if_there(stack.enter_context(connect(settings.redis_url, _REDIS_SECONDS)))
        store = open_store(settings)
        stack.callback(store.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lepton-worker-")))
        leases = NodeLeases(store)
        launcher = Launcher(
            [
                worker_spec(
                    f"{node} ({slot.device})",
                    settings,
                    plan.tasks,
                    node,
                    folder / f"progress-{number}",
                    leases,
                    environment=slot.environment,
                    max_memory_bytes=plan.max_memory_bytes,
                )
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
