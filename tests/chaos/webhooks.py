"""Webhooks while receivers fail and senders die: all arrive; one that hangs hurts only itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from lepton_tasks.ids import new_id
from lepton_tasks.settings import Settings
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.settle import deliver
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import DeliveryRow
from tests.chaos.checker import percentile
from tests.chaos.rig import until
from tests.support.endpoints import TEST_KEY
from tests.support.receiver import Received, Receiver, running_receiver

deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

TENANT: Final = "acme"
_FAULTS: Final = ("500", "hang", "reset")
_STALE_SECONDS: Final = 60.0


@contextmanager
def sending(database_url: str, folder: Path) -> Iterator[tuple[Store, SenderProcess]]:
    """A store with its tables, and a sender on it."""
    database = Database(database_url)
    upgrade_schema(database)
    settings = Settings(home=folder, database_url=database_url, secret_key=TEST_KEY)
    store = Store(database, SecretBox.of(settings))
    sender = SenderProcess(settings, folder)
    try:
        yield store, sender
    finally:
        sender.kill()
        store.close()


class SenderProcess:
    """One sender at a time."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._environment = {**os.environ, **settings.environment()}
        self._log = folder / "sender.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a new process; it sends within a second or so."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.sender_process"],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL, whatever it is at."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def owe(store: Store, urls: Sequence[str]) -> list[str]:
    """Create an event for each URL in one transaction, due now; returns their ids."""
    rows = [
        {
            "id": event_id,
            "event_id": event_id,
            "tenant": TENANT,
            "url": url,
            "event_type": "job.succeeded",
            "body": f'{{"id":"{event_id}","text":"你好"}}'.encode(),
            "state": DeliveryState.PENDING,
            "attempt": 0,
            "fence": 0,
        }
        for event_id, url in zip((new_id("evt") for _ in urls), urls, strict=True)
    ]
    with store.database.write() as connection:
        deliver(connection, rows)
    return [str(row["id"]) for row in rows]


def path_of(number: int) -> str:
    """Where an event goes: three of ten meet a fault the first time.

    >>> [path_of(number) for number in (0, 3, 4)]
    ['/then/500,200/0', '/200/3', '/200/4']
    """
    kind = number % 10
    return f"/then/{_FAULTS[kind]},200/{number}" if kind < len(_FAULTS) else f"/200/{number}"


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What came of a run: what was wrong, by name, and how often events came again."""

    wrong: dict[str, int]
    attempts: int
    again: int


def at_least_once(database_url: str, folder: Path, events: int, kills: int) -> Deliveries:
    """Send ``events``, three of ten to receivers that fail at first; kill the sender at times."""
    with running_receiver() as receiver, sending(database_url, folder) as (store, sender):
        ids: list[str] = []
        for first in range(0, events, 500):
            numbers = range(first, min(first + 500, events))
            ids += owe(store, [receiver.url(path_of(number)) for number in numbers])
        sender.start()
        for number in range(1, kills + 1):
            # In the middle of sending: what is on the wire then has no known outcome.
            until(lambda number=number: _count(receiver) >= events * number // (kills + 1), "stuck")  # type: ignore[misc]
            sender.kill()
            sender.start()
        until(lambda: _delivered(store) == events, "some were never delivered")
        secret = store.keys.webhook_secret(TENANT)
        with receiver.lock:
            received = [one for one in receiver.received if _is_whole(one)]
    return _judge(ids, received, secret)


def _judge(ids: Sequence[str], received: Sequence[Received], secret: str) -> Deliveries:
    by_path: defaultdict[str, list[Received]] = defaultdict(list)
    for one in received:
        by_path[one.path].append(one)
    wrong: Counter[str] = Counter()
    for number, event_id in enumerate(ids):
        mine = by_path[path_of(number)]
        wrong["not delivered"] += not mine
        wrong["another webhook-id"] += sum(one.id != event_id for one in mine)
        stale = (one.at - float(one.headers["webhook-timestamp"]) for one in mine)
        wrong["stale timestamps"] += sum(age > _STALE_SECONDS for age in stale)
        wrong["wrong signatures"] += sum(not _is_signed(one, secret) for one in mine)
    needed = sum(2 if path_of(number).startswith("/then") else 1 for number in range(len(ids)))
    return Deliveries(
        {name: count for name, count in wrong.items() if count},
        len(received),
        max(0, len(received) - needed),
    )


def _is_whole(one: Received) -> bool:
    """Whether all of it came: a sender that dies in the middle has not sent it."""
    return len(one.body) == int(one.headers["content-length"])


def _is_signed(one: Received, secret: str) -> bool:
    # Not Received.verify: it wants a timestamp of the last minutes, and a run may take longer.
    sent_at = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(one.id, sent_at, one.body.decode())
    return signature in one.headers["webhook-signature"].split()


@dataclass(frozen=True, slots=True)
class Slowness:
    """Seconds from event to receipt at healthy endpoints, shortest first."""

    alone: Sequence[float]
    beside: Sequence[float]
    missing: int

    def ratio(self) -> float:
        """How the 99th percentile beside a hanging endpoint compares with that without one."""
        beside, alone = (percentile(one, 0.99) or 0.0 for one in (self.beside, self.alone))
        return beside / alone if alone else 1.0


def one_hangs(database_url: str, folder: Path, healthy: int, events: int) -> Slowness:
    """Send ``events`` to each of ``healthy`` endpoints, without a hanging one and beside it.

    An endpoint is an address of its own: without one, lanes are those of hosts.
    """
    with running_receiver("") as receiver, sending(database_url, folder) as (store, sender):
        sender.start()
        hosts = [f"127.0.1.{number + 1}" for number in range(healthy)]
        hanging = [receiver.url("/hang", "127.0.2.1")] * (events * 4)
        _round(store, receiver, hosts, events, [], "warm")
        alone = _round(store, receiver, hosts, events, [], "alone")
        beside = _round(store, receiver, hosts, events, hanging, "beside")
        missing = 2 * healthy * events - len(alone) - len(beside)
    return Slowness(sorted(alone), sorted(beside), missing)


def _round(
    store: Store,
    receiver: Receiver,
    hosts: Sequence[str],
    events: int,
    hanging: Sequence[str],
    name: str,
) -> list[float]:
    """Seconds that each event of a round took to come."""
    if hanging:
        owe(store, hanging)
    created: dict[str, float] = {}
    for _ in range(events):
        at = time.time()
        urls = [receiver.url(f"/200/{name}", host) for host in hosts]
        created |= dict.fromkeys(owe(store, urls), at)
        time.sleep(0.05)
    path = f"/200/{name}"
    until(lambda: len({one.id for one in receiver.at(path)}) >= len(created), "healthy ones wait")
    return [one.at - created[one.id] for one in receiver.at(path) if one.id in created]


def _count(receiver: Receiver) -> int:
    with receiver.lock:
        return len(receiver.received)


def _delivered(store: Store) -> int:
    with store.database.read() as connection:
        query = select(func.count()).where(deliveries.c.state == DeliveryState.DELIVERED)
        return int(connection.execute(query).scalar_one())
