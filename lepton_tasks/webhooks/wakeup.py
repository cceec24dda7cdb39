"""Hears from Redis that deliveries were created, so that the sender need not wait for its poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from lepton_tasks.broker.connection import connect_async
from lepton_tasks.broker.wakeups import DELIVERIES_CHANNEL
from lepton_tasks.outage import OUTAGES, Outage

_CONNECT_SECONDS: Final = 5.0
_LISTEN_SECONDS: Final = 1.0


async def listen(redis_url: str, wake: Callable[[], None], stop: asyncio.Event) -> None:
    """Call ``wake`` at every announcement until ``stop``; an absent Redis is waited for.

    Announcements are hints: what is missed, the sender finds by asking the store.
    It returns within about a second of ``stop``; cancelling it is not enough, because
    on Python 3.11 a cancellation can be lost inside redis-py's waits.
    """
    outage = Outage("webhook wake-ups")
    while not stop.is_set():
        client = connect_async(redis_url, _CONNECT_SECONDS)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(DELIVERIES_CHANNEL)
                outage.over()
                wake()
                while not stop.is_set():
                    if await pubsub.get_message(timeout=_LISTEN_SECONDS) is not None:
                        wake()
        except OUTAGES as error:
            await asyncio.sleep(outage.failed(error))
        finally:
            await client.aclose()
