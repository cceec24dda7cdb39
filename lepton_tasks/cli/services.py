"""``lepton up``, ``worker`` and ``api``: start the services as processes, never by import."""

from __future__ import annotations

import logging
import os
import secrets
import time

import typer

from lepton_tasks.cli.handover import become, require_package
from lepton_tasks.embedded.commands import api_command
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.embedded.system import Ports, System, embedded_system
from lepton_tasks.launcher.ports import LOOPBACK, require_free
from lepton_tasks.launcher.signals import interrupt_on_signals
from lepton_tasks.nlp.registry import check_apart, get_task, interactive_tasks, long_tasks
from lepton_tasks.settings import load_settings
from lepton_tasks.store.store import open_store
from lepton_tasks.supervisor.slots import device_slots
from lepton_tasks.supervisor.supervisor import WorkerPlan, supervise
from lepton_tasks.supervisor.watch import MEGABYTE

_CHECK_SECONDS = 0.5


def up(
    api_port: int = typer.Option(8000, help="Loopback port of the HTTP API."),
    flower_port: int = typer.Option(5555, help="Loopback port of Flower."),
) -> None:
    """Run the whole system on this machine, in the foreground, until Ctrl-C.

    Needs nothing installed by hand: it brings its own Redis and keeps its database,
    logs and run file under LEPTON_HOME (default ~/.lepton). Prints the URLs and an
    API key that is valid while it runs. Jobs that are not done when it stops go on
    when it is started again.
    """
    settings = load_settings()
    with interrupt_on_signals():
        try:
            with embedded_system(
                settings, lambda line: typer.echo(line, err=True), Ports(api_port, flower_port)
            ) as system:
                _serve(system)
        except KeyboardInterrupt:
            typer.echo("stopped; unfinished jobs go on at the next `lepton up`", err=True)


def _serve(system: System) -> None:
    """Print where everything is and wait; the key ends with the system."""
    store = open_store(system.settings)
    tenant = system.settings.default_tenant
    try:
        key = store.keys.create(tenant, "lepton up")
        try:
            typer.echo(
                f"API      {system.api_url}  (docs at {system.api_url}/docs)\n"
                f"key      {key}\n"
                f"webhooks are signed with {store.keys.webhook_secret(tenant)}\n"
                f"Flower   {system.flower_url}  (login {system.flower_login})\n"
                f"data     {system.settings.home}\n"
                "Try:     curl -s -H 'Authorization: Bearer "
                f'{key}\' -d \'{{"task":"moderation","input":"hello"}}\' '
                f"-H 'Content-Type: application/json' {system.api_url}/v1/jobs\n"
                "Ctrl-C stops everything."
            )
            while True:
                system.check()
                time.sleep(_CHECK_SECONDS)
        finally:
            for entry in store.keys.all(tenant):
                if entry.prefix == key[:10] and entry.revoked_at is None:
                    store.keys.revoke(entry.id)
    finally:
        store.close()


def worker(
    tasks: str = typer.Option(
        "",
        help="Tasks to serve, comma-separated; all that answer at once when left out. Those "
        "that take minutes to hours, such as training, want a worker of their own.",
    ),
    devices: str = typer.Option(
        "", help="Devices, such as cuda:0,cuda:1; LEPTON_DEVICE when left out."
    ),
    per_device: int = typer.Option(
        1,
        min=1,
        help="Worker processes on each device. On a CPU they share its cores; as many "
        "processes as cores are fastest, each with the memory of its own models.",
    ),
    max_memory_mb: int = typer.Option(
        0, min=0, help="Drain and restart a process that uses more memory; 0 for no limit."
    ),
    name: str = typer.Option(
        "",
        help="Celery node name without the number each process gets; unique; made up if left out.",
    ),
) -> None:
    """Run model workers against the configured Redis and database.

    Each process loads and warms the models of its tasks, then consumes their queues
    <task>.high, <task>.normal and <task>.bulk. One that crashes, hangs in a
    micro-batch for LEPTON_HUNG_SECONDS or outgrows its memory is started again; its
    jobs go on. SIGTERM drains them all, SIGHUP restarts them one by one.

    Example: lepton worker --tasks moderation --devices cuda:0,cuda:1
    """
    settings = running_settings(load_settings())
    logging.getLogger().setLevel(settings.log_level)
    require_package("workers", "worker")
    chosen = [get_task(part.strip()).name for part in tasks.split(",") if part.strip()]
    check_apart(chosen, set(chosen) & set(long_tasks()))
    plan = WorkerPlan(
        chosen or list(interactive_tasks()),
        device_slots(
            devices or settings.device,
            per_device,
            os.environ.get("CUDA_VISIBLE_DEVICES"),
            0 if settings.threads else len(os.sched_getaffinity(0)),
        ),
        name or f"worker-{secrets.token_hex(3)}",
        max_memory_mb * MEGABYTE,
    )
    supervise(settings, plan, lambda count: typer.echo(f"ready: {count} worker{'s' * (count > 1)}"))


def api(
    host: str = typer.Option(LOOPBACK, help="Address to listen on."),
    port: int = typer.Option(8000, help="Port to listen on."),
) -> None:
    """Run the HTTP API against the configured Redis and database.

    Example: lepton api --host 0.0.0.0 --port 8000
    """
    settings = running_settings(load_settings())
    require_package("api", "api")
    require_free(port, "--port", host)
    open_store(settings).close()
    become(api_command(port, host), settings)
