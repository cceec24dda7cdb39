"""A webhook sender as a process that may be killed: ``python -m tests.chaos.sender_process``.

It is the io worker's sender with short waits and leases, so that a run sees many attempts.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from lepton_tasks.settings import load_settings
from lepton_tasks.store.store import open_store
from lepton_tasks.webhooks.client import Answer, WebhookClient
from lepton_tasks.webhooks.guard import EgressGuard
from lepton_tasks.webhooks.sender import Sender, SenderLimits

DEADLINE: Final = 2.0
LIMITS: Final = SenderLimits(poll=0.1, patience=1.0, lease_slack=1.0)
READY: Final = "sending"


def soon(attempt: int, answer: Answer) -> float | None:
    """Again within a second, as often as it takes.

    >>> [soon(attempt, Answer(500, None, "500")) for attempt in (1, 2, 30)]
    [0.2, 0.4, 1.0]
    """
    return min(0.2 * attempt, 1.0)


async def _run() -> None:
    store = open_store(load_settings())
    try:
        async with WebhookClient(
            EgressGuard(allow_private=True), DEADLINE, LIMITS.sending
        ) as client:
            sender = Sender(store, client, DEADLINE, limits=LIMITS, retry=soon)
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, sender.stop)
            print(READY, flush=True)  # noqa: T201 - whoever started it waits for this
            await sender.run()
    finally:
        store.close()


if __name__ == "__main__":
    asyncio.run(_run())
