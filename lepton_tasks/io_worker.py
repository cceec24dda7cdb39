"""The io worker: everything that waits rather than computes.

Sends webhooks, reconciles, runs batches of uploaded files, and sweeps their folder.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Final

from lepton_tasks.batches.run import Bench
from lepton_tasks.batches.runners import Runners
from lepton_tasks.broker.connection import check_redis_if_there, connect
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.files.sweeper import FileSweeper
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.outage import Outage, sleep_until
from lepton_tasks.producer import Producer
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.requests import Admission
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.webhooks.client import WebhookClient
from lepton_tasks.webhooks.guard import EgressGuard, parse_networks
from lepton_tasks.webhooks.sender import Sender, SenderLimits
from lepton_tasks.webhooks.wakeup import listen

logger = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 1.0
_REDIS_SECONDS: Final = 5.0
_LOOKUP_THREADS: Final = 64
_COLLECT: Final = (20_000, 20, 100)
"""Thresholds of the garbage collector. Lines in flight are many and no garbage: at Python's own
thresholds, looking through them is a quarter of what a batch costs."""
_STOP_SECONDS: Final = 10.0
"""How long batches may take to be given back."""


def run_io(settings: Settings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Run the io worker until SIGTERM or SIGINT. Any number may share a store.

    ``on_ready`` is called once signals are handled and the work begins. A database
    or Redis that goes away later is waited for.

    Raises:
        LeptonError: the store cannot be used at the start, a setting is wrong, or Redis
            refuses us or would lose messages.
    """
    with connect(settings.redis_url, _REDIS_SECONDS) as client:
        check_redis_if_there(client)
    store = open_store(settings)
    try:
        store.endpoints.check_key()
        with (
            closing(Reconciler(store, settings, _holder())) as reconciler,
            _runners(settings, store) as runners,
        ):
            asyncio.run(_run(settings, store, reconciler, runners, on_ready))
    finally:
        store.close()


@contextmanager
def _runners(settings: Settings, store: Store) -> Iterator[Runners]:
    """Runners of batches; they are started by whoever has the signals in hand."""
    # A run that goes on sees in the store which shards are there, and submits the rest.
    with Producer(settings, store, durable=False) as producer:
        # Whether a corpus is there, workers find out: a file is cut by what is in it alone.
        admission = Admission(find_tasks(), settings.max_items_per_job)
        bench = Bench(producer, FileStorage(settings.files), admission)
        runners = Runners(bench, _holder(), settings.batches_at_once, settings.lease_seconds)
        try:
            yield runners
        finally:
            runners.close(_STOP_SECONDS)


async def _run(
    settings: Settings,
    store: Store,
    reconciler: Reconciler,
    runners: Runners,
    on_ready: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    # Name lookups run here; the store has threads of its own, so a slow name cannot hold it up.
    loop.set_default_executor(ThreadPoolExecutor(_LOOKUP_THREADS, "lookup"))
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    limits = SenderLimits()
    guard = EgressGuard(
        allow_private=settings.webhook_allow_private,
        networks=parse_networks(settings.webhook_private_networks),
    )
    async with (
        WebhookClient(guard, settings.webhook_timeout, limits.sending) as client,
        asyncio.TaskGroup() as tasks,
    ):
        sender = Sender(store, client, settings.webhook_timeout, limits=limits)
        tasks.create_task(sender.run())
        sweeper = FileSweeper(store, FileStorage(settings.files))
        tasks.create_task(_each_second("reconciler", reconciler.run_once, stop))
        tasks.create_task(_each_second("file-sweeper", sweeper.sweep, stop))
        tasks.create_task(listen(settings.redis_url, sender.wake, stop))
        if settings.batches_at_once:
            gc.freeze()
            gc.set_threshold(*_COLLECT)
            runners.start(lambda: loop.call_soon_threadsafe(sender.wake))
        on_ready()
        await stop.wait()
        logger.info("stopping")
        runners.stop()
        sender.stop()


async def _each_second(name: str, work: Callable[[], None], stop: asyncio.Event) -> None:
    """Do ``work`` again and again, on a thread of its own; an outage is waited out."""
    loop = asyncio.get_running_loop()
    outage = Outage(name)
    with ThreadPoolExecutor(1, name) as thread:

        async def once() -> float:
            await loop.run_in_executor(thread, work)
            return _PERIOD_SECONDS

        while not stop.is_set():
            await sleep_until(stop, await outage.attempt_async(once))


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
