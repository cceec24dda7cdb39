"""Tenants that send jobs by HTTP at a given rate, and note what they are told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import httpx

from lepton_tasks.queues import Priority
from tests.chaos.keys import ApiProcess
from tests.chaos.rig import TASK, Rig

BUSY: Final = "busy"
CALM: Final = "calm"
INPUTS: Final = {BUSY: 4, CALM: 16}
"""Inputs of a tenant's job."""
_CALLERS: Final = 16
_CALM_RATE: Final = 1.0
_BULK_EVERY: Final = 3
"""One of so many jobs of the busy tenant is bulk."""


@dataclass
class Seen:
    """What the callers of a stretch of time were told; seconds, and ids of accepted jobs."""

    answers: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    """Seconds of each ``Retry-After``."""
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def offered(self) -> int:
        """Jobs that were sent."""
        return len(self.accepted) + len(self.waits) + self.wrong.total()


class Callers:
    """Clients of both tenants; what they are told is kept by stretches of time."""

    def __init__(self, rig: Rig, api: ApiProcess) -> None:
        self._api = api
        self._keys = {tenant: rig.store.keys.create(tenant, "chaos") for tenant in (BUSY, CALM)}
        self._numbers = count()
        self.accepted = 0

    @contextmanager
    def calm(self) -> Iterator[Seen]:
        """Within the block the calm tenant sends a job now and then, and waits for each."""
        with self._sending(CALM, _CALM_RATE, waits=True) as seen:
            yield seen

    @contextmanager
    def busy(self, rate: float) -> Iterator[Seen]:
        """Within the block the busy tenant sends so many jobs a second, whatever it is told."""
        with self._sending(BUSY, rate, waits=False) as seen:
            yield seen

    @contextmanager
    def busy_at_will(self) -> Iterator[Seen]:
        """Within the block every caller of the busy tenant has one job at a time."""
        with self._sending(BUSY, None, waits=True) as seen:
            yield seen

    @contextmanager
    def _sending(self, tenant: str, rate: float | None, waits: bool) -> Iterator[Seen]:
        seen, stop = Seen(), threading.Event()
        began = time.monotonic()

        def work(place: int) -> None:
            turn = place
            while not stop.is_set():
                # Calls are due at fixed times: one that takes long does not thin out the rest.
                if rate is not None and stop.wait(began + turn / rate - time.monotonic()):
                    return
                self._call(client, tenant, seen, waits)
                turn += _CALLERS

        with self._api.client(_CALLERS) as client, ThreadPoolExecutor(_CALLERS) as pool:
            working = [pool.submit(work, place) for place in range(_CALLERS)]
            try:
                yield seen
            finally:
                stop.set()
            for one in working:
                one.result()
        self.accepted += len(seen.accepted)

    def _call(self, client: httpx.Client, tenant: str, seen: Seen, waits: bool) -> None:
        number = next(self._numbers)
        bulk = tenant == BUSY and not waits and number % _BULK_EVERY == 0
        body = {
            "task": TASK,
            "inputs": [f"k{number:07}-{n} answer 好" for n in range(INPUTS[tenant])],
            "priority": Priority.BULK if bulk else Priority.NORMAL,
        }
        headers = {"authorization": f"Bearer {self._keys[tenant]}"}
        began = time.monotonic()
        answer = client.post("/v1/jobs", json=body, headers=headers)
        seen.answers.append(time.monotonic() - began)
        if answer.status_code == 429:
            wait = answer.headers.get("retry-after", "")
            if wait.isdigit() and 1 <= int(wait) <= 60:
                seen.waits.append(int(wait))
            else:
                seen.wrong["429 without a usable Retry-After"] += 1
        elif answer.status_code == 202:
            job_id = answer.json()["id"]
            seen.accepted.append(job_id)
            if waits:
                client.get(f"/v1/jobs/{job_id}?wait=60", headers=headers)
                seen.ends.append(time.monotonic() - began)
        else:
            seen.wrong[f"answers {answer.status_code}"] += 1
