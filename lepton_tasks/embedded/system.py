"""The whole system on one machine: Redis, worker, io worker and, if wanted, API and Flower."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from lepton_tasks.broker.connection import check_redis, connect
from lepton_tasks.embedded.commands import (
    api_command,
    flower_command,
    lepton_command,
)
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.errors import ConfigError
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.launcher.ports import LOOPBACK, require_free
from lepton_tasks.launcher.runfile import claim_home
from lepton_tasks.nlp.registry import interactive_tasks, long_tasks
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.spec import worker_spec

_OWN_ADDRESSES: Final = "127.0.0.0/8,::1/128"
"""Where receivers of webhooks on this machine listen."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services listen; None leaves a service out."""

    api: int | None = None
    flower: int | None = None


@dataclass(frozen=True, slots=True)
class System:
    """A running system.

    ``settings`` lead to it. ``check`` raises ChildFailed once a part has failed for
    good. ``flower_login`` is ``user:password``.
    """

    settings: Settings
    api_url: str | None
    flower_url: str | None
    flower_login: str
    check: Callable[[], None]


@contextmanager
def embedded_system(
    settings: Settings, status: Callable[[str], None], ports: Ports | None = None
) -> Iterator[System]:
    """Run the system on ``settings.home`` inside the block; nothing is left running after it.

    A configured Redis or database is used; what is not configured is embedded. Each
    part is ready before the block begins. ``status`` gets one line a step.

    Raises:
        LeptonError: a port is taken, a part did not start, or the home is in use.
    """
    ports = ports or Ports()
    _require_services(ports)
    with ExitStack() as stack:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        runfile = stack.enter_context(claim_home(settings.home))
        login = f"lepton:{secrets.token_urlsafe(12)}"
        reached = ",".join(filter(None, (settings.webhook_private_networks, _OWN_ADDRESSES)))
        running = settings.model_copy(
            update={"webhook_private_networks": reached, "supervised": True}
        )
        servers: list[EmbeddedRedis | Launcher] = []
        if not settings.redis_url:
            server = EmbeddedRedis(settings.home / "run" / "redis", on_status=status)
            servers.append(stack.enter_context(server))
            running = running.model_copy(update={"redis_url": server.url})
        check_redis(connect(running.redis_url, 5.0))
        store = stack.enter_context(_open(running))
        launcher = Launcher(
            _children(running, NodeLeases(store), ports, login),
            settings.home / "logs",
            grace=running.drain_seconds + 5,
            on_status=status,
        )
        servers.append(stack.enter_context(launcher))
        api_url = None if ports.api is None else f"http://{LOOPBACK}:{ports.api}"
        flower_url = None if ports.flower is None else f"http://{LOOPBACK}:{ports.flower}"
        runfile.write(
            redis_url=running.redis_url,
            database_url=running.store_url,
            api_url=api_url,
            flower_url=flower_url,
        )
        yield System(running, api_url, flower_url, login, lambda: _check(servers))


def _check(servers: Sequence[EmbeddedRedis | Launcher]) -> None:
    for server in servers:
        server.wait(0)


def _children(settings: Settings, leases: NodeLeases, ports: Ports, login: str) -> list[ChildSpec]:
    environment = settings.environment()
    node = f"worker@{secrets.token_hex(4)}"
    progress = settings.home / "run" / "worker.progress"
    specs = [
        worker_spec("worker", settings, list(interactive_tasks()), node, progress, leases),
        ChildSpec("io", lepton_command("io"), environment),
    ]
    if ports.api is not None:
        url = f"http://{LOOPBACK}:{ports.api}/readyz"
        specs.append(
            ChildSpec(
                "api",
                api_command(ports.api, LOOPBACK),
                environment,
                ready=lambda: _answers(url, 200),
            )
        )
    if ports.flower is not None:
        url_flower = f"http://{LOOPBACK}:{ports.flower}/"
        specs.append(
            ChildSpec(
                "flower",
                flower_command(ports.flower, LOOPBACK),
                {**environment, "FLOWER_BASIC_AUTH": login},
                ready=lambda: _answers(url_flower, 401),
            )
        )
    if ports.api is not None and (long := list(long_tasks())):
        # A system that was started for one file has nobody who could send it such jobs.
        name = f"trainer@{secrets.token_hex(4)}"
        file = settings.home / "run" / "trainer.progress"
        specs.append(worker_spec("trainer", settings, long, name, file, leases))
    return specs


def _answers(url: str, status: int) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).status_code == status
    except httpx.HTTPError:
        return False


@contextmanager
def _open(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


def _require_services(ports: Ports) -> None:
    """Say what is missing or taken before anything is started.

    Raises:
        ConfigError: the services' packages are not installed here.
        PortInUse: a port is taken.
    """
    modules: Sequence[tuple[str, bool]] = (
        ("workers", True),
        ("torch", True),
        ("api", ports.api is not None),
        ("flower", ports.flower is not None),
    )
    missing = [
        name for name, wanted in modules if wanted and importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ConfigError(
            f"not installed here: {', '.join(missing)}. The services run from the repository: "
            'clone it and run `pip install -e ".[worker,api,flower]" -c constraints.txt`.'
        )
    for port, option in ((ports.api, "--api-port"), (ports.flower, "--flower-port")):
        if port is not None:
            require_free(port, option)
