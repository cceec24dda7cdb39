"""What the running workers say of a model: whether they have changed to what is served."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from celery import Celery
from kombu.exceptions import OperationalError

from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store

ASK_SECONDS: Final = 1.5
"""How long replies are waited for each time; a worker that loads a model may be slow to reply."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a worker says: it serves what is served now, it could not and why, or nothing yet."""

    worker: str
    state: Literal["serves", "refused", "silent"]
    reason: str = ""

    def line(self) -> str:
        """For people.

        >>> Word("w1@host", "refused", "no memory").line()
        'w1@host: goes on with what it had: no memory'
        """
        said = {
            "serves": "serves it",
            "refused": f"goes on with what it had: {self.reason}",
            "silent": "did not say that it serves it",
        }
        return f"{self.worker}: {said[self.state]}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def words(
    model: str, stamp: str, expected: Collection[str], stats: Mapping[str, Mapping[str, Any]]
) -> list[Word]:
    """What each of the workers says, by ``inspect stats``, of the change that ``stamp`` marks.

    >>> done = {"versions": {"topics": {"stamp": "7", "version": "b", "refused": None}}}
    >>> [one.state for one in words("topics", "7", ["w1", "w2"], {"w1": done})]
    ['serves', 'silent']
    """
    found = []
    for worker in sorted(expected):
        said = stats.get(worker, {}).get("versions", {}).get(model)
        if said is None or said["stamp"] != stamp:
            found.append(Word(worker, "silent"))
        elif said["refused"]:
            found.append(Word(worker, "refused", said["refused"]["reason"]))
        else:
            found.append(Word(worker, "serves"))
    return found


def wait_for_workers(
    settings: Settings, model: str, task: str, stamp: str, seconds: float
) -> list[Word]:
    """Ask the workers of a task until all of them have changed, or said why not.

    Returns what each says after ``seconds`` at the latest; nothing where none runs.

    Raises:
        ConfigError: nothing runs that could be asked.
        StoreUnavailable: the database that knows of the workers is away.
        BrokerUnavailable: Redis is away.
    """
    settings = running_settings(settings)
    store = open_store(settings)
    app = make_app(settings, [])
    end = time.monotonic() + seconds
    try:
        while True:
            alive = [one.hostname for one in store.leases.alive() if task in one.tasks]
            found = words(model, stamp, alive, _stats(app, alive) if alive else {})
            if all(one.state != "silent" for one in found) or time.monotonic() > end:
                return found
    finally:
        store.close()
        app.close()


def _stats(app: Celery, workers: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Replies by worker, of those that reply in time."""
    ask: Callable[[], Any] = app.control.inspect(
        list(workers), timeout=ASK_SECONDS, limit=len(workers)
    ).stats
    try:
        return ask() or {}
    except OperationalError as error:
        raise BrokerUnavailable(f"the workers cannot be asked: {error}") from error
