"""What the routes work with, opened and closed once a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import redis
from fastapi import Depends, Request
from redis.asyncio import Redis as AsyncRedis
from starlette.concurrency import run_in_threadpool

from api.announcing import Announcements
from api.disk import Disk
from api.file_intake import Intake, Room, Turns
from api.key_cache import KeyCache
from api.openai.answering import Answering
from api.openai.catalogue import ModelList
from api.openai.outlook import Outlook
from api.openai.queues import StoreQueues
from api.openai.resends import Resends, resend_key
from api.rate_limit import RateLimit
from api.readiness import ReadinessProbe
from api.result_watch import ResultWatch
from api.waiting import Waiting
from lepton_tasks.broker.connection import connect, connect_async
from lepton_tasks.broker.wakeups import Announcer
from lepton_tasks.files.results import ResultReader
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.webhooks.guard import EgressGuard, parse_networks

_ASYNC_SECONDS: Final = 2.0
_RESEND_SECONDS: Final = 30.0
"""Beyond the longest wait, how long a request that is sent again finds its first jobs."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is open while the API runs."""

    settings: Settings
    store: Store
    producer: Producer
    redis: redis.Redis
    waiting: Waiting
    announcements: Announcements
    readiness: ReadinessProbe
    keys: KeyCache
    guard: EgressGuard
    requests: RateLimit
    tokens: RateLimit
    async_redis: AsyncRedis
    answering: Answering
    models: ModelList
    storage: FileStorage
    disk: Disk
    intake: Intake
    completing: Turns
    """One request at a time puts an upload together, however often that is asked for."""
    results: ResultReader
    watching: ResultWatch


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the store, the producer and the subscription; close them at the end.

    Raises:
        LeptonError: the database or a setting cannot be used.
    """
    store = await run_in_threadpool(open_store, settings)
    try:
        client = connect(settings.redis_url, settings.publish_timeout)
        async_client = connect_async(settings.redis_url, _ASYNC_SECONDS)
        producer = Producer(settings, store)
        waiting = Waiting(store.jobs, settings.redis_url)
        announcements = Announcements(Announcer(client, is_away=lambda: False))
        readiness = ReadinessProbe(store, client, list(producer.admission.tasks))
        watching = ResultWatch(store.batches)
        tasks = [asyncio.create_task(one.run()) for one in (waiting, watching)]
        try:
            keys = KeyCache(store.keys.tenant_of)
            guard = EgressGuard(
                allow_private=settings.webhook_allow_private,
                networks=parse_networks(settings.webhook_private_networks),
            )
            burst = settings.rate_burst_seconds
            key = await run_in_threadpool(resend_key, store)
            tokens = RateLimit("tokens", settings.token_rate, burst)
            answering = Answering(
                producer,
                tokens,
                waiting,
                announcements,
                Resends(async_client, settings.answer_seconds + _RESEND_SECONDS, key),
                Outlook(StoreQueues(store), settings.answer_seconds),
                settings.answer_seconds,
            )
            storage, disk = FileStorage(settings.files), Disk()
            room = Room(store.files, settings.tenant_file_bytes)
            yield Services(
                settings=settings,
                store=store,
                producer=producer,
                redis=client,
                waiting=waiting,
                announcements=announcements,
                readiness=readiness,
                keys=keys,
                guard=guard,
                requests=RateLimit("requests", settings.request_rate, burst),
                tokens=tokens,
                async_redis=async_client,
                answering=answering,
                models=ModelList(settings),
                storage=storage,
                disk=disk,
                intake=Intake(storage, disk, room),
                completing=Turns(),
                results=ResultReader(store, storage),
                watching=watching,
            )
            await answering.close()
        finally:
            waiting.release()
            watching.release()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await run_in_threadpool(announcements.close)
            producer.close()
            client.close()
            await async_client.aclose()
    finally:
        store.close()


async def services_of(request: Request) -> Services:
    """Services of the running application; async, because FastAPI gives others a thread."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
