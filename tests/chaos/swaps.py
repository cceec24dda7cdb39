"""Versions of a shipped model, swapped again and again into a worker under steady load.

Stretches without a swap and with one take turns, so that what slows the machine meets both. A
job's time is the database's: from its row to its end. The two versions hold the same weights,
so what differs is the swap alone.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import select

from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow
from lepton_tasks.versions import Versions
from tests.chaos.checker import percentile
from tests.chaos.rig import MortalRedis, until
from tests.support.lepton_worker import LeptonWorker
from workers.catalogue.entries import DEFAULT_CATALOGUE, CatalogueEntry, read_catalogue
from workers.engines.builders import encoder_folder

jobs = JobRow.__table__  # type: ignore[attr-defined]

MODEL: Final = "sentiment"
RATE: Final = 20.0
"""Jobs a second, sent on schedule."""
MOST_SLOWER: Final = 1.5
"""The 95th percentile with a swap may be so many times that without."""
_SAID: Final = re.compile(rf"the model {MODEL}: (?:\S+ (serves), after|.* cannot serve: (.*))")
_TEXTS: Final = ["这家店的服务真好，下次还来", "The battery died after two days."]


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the load: seconds from its row to its end, None where it has none."""

    created_at: float
    took: float | None
    state: str
    revision: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of time, without a swap or with one; ``cpu`` are seconds of the worker in it."""

    begin: float
    end: float
    swapping: bool
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; ``swaps`` are seconds until the worker said that it has changed."""

    jobs: Sequence[Job]
    stretches: Sequence[Stretch]
    swaps: Sequence[float]
    refused: Sequence[str]

    def took(self, swapping: bool) -> list[float]:
        """Times of the jobs that came while a swap was on, or while none was; shortest first."""
        return sorted(
            job.took
            for job in self.jobs
            for stretch in self.stretches
            if stretch.swapping is swapping
            and stretch.begin <= job.created_at < stretch.end
            and job.took is not None
        )

    def wrong(self, timed: bool) -> dict[str, int]:
        """What is not as it should be; what depends on time only where ``timed``."""
        ordered = [job.revision for job in self.jobs if job.revision is not None]
        changes = sum(one != other for one, other in pairwise(ordered))
        found = {
            "lost": sum(job.took is None for job in self.jobs),
            "failed": sum(
                job.took is not None and job.state != JobState.SUCCEEDED for job in self.jobs
            ),
            "swaps that were refused": len(self.refused),
            "answers of a version that no longer served": max(0, changes - len(self.swaps)),
            "swaps that no answer shows": max(0, len(self.swaps) - changes),
        }
        if timed and self.slower() > MOST_SLOWER:
            found["p95 with a swap over 1.5 times without, percent"] = round(100 * self.slower())
        return {name: count for name, count in found.items() if count}

    def slower(self) -> float:
        """The 95th percentile with a swap, by that without."""
        return _at(self.took(swapping=True), 0.95) / (_at(self.took(swapping=False), 0.95) or 1.0)

    def figures(self) -> dict[str, str]:
        """For the report."""
        shown = {"lost": str(sum(job.took is None for job in self.jobs))}
        for share in (0.5, 0.95, 0.99):
            without, beside = (
                1000 * _at(self.took(swapping=swapping), share) for swapping in (False, True)
            )
            name = f"p{100 * share:.0f} without / with a swap"
            shown[name] = f"{without:.0f} / {beside:.0f} ms"
        swaps = sorted(self.swaps)
        shown["swapped after, p50 / most"] = f"{_at(swaps, 0.5):.1f} / {_at(swaps, 1.0):.1f} s"
        shown["CPU of the worker without / with a swap"] = " / ".join(
            f"{self._load(swapping):.1%}" for swapping in (False, True)
        )
        return shown

    def _load(self, swapping: bool) -> float:
        """CPU seconds of the worker in a second."""
        own = [one for one in self.stretches if one.swapping is swapping]
        return sum(one.cpu for one in own) / (sum(one.end - one.begin for one in own) or 1.0)


def swaps(url: str, folder: Path, times: int, seconds: float, *, with_encoder: bool) -> Outcome:
    """Swap so many times, each after a stretch of ``seconds`` without, in one as long.

    ``with_encoder`` versions carry an encoder of their own, which is loaded each time; others
    share that of the version before.
    """
    with _running(url, folder) as (settings, store, worker):
        versions = Versions(settings.model_versions)
        names = [_publish(versions, folder, number, with_encoder) for number in range(2)]
        stretches: list[Stretch] = []
        took: list[float] = []
        refused: list[str] = []
        with _load(settings, store):
            time.sleep(min(3.0, seconds))  # connections are open, lanes have run
            for turn in range(times):
                with _stretch(worker, stretches, swapping=False):
                    time.sleep(seconds)
                with _stretch(worker, stretches, swapping=True):
                    began = time.monotonic()
                    versions.serve(MODEL, names[turn % 2])
                    refused += _changed(worker, turn + 1)
                    took.append(time.monotonic() - began)
                    time.sleep(max(0.5, seconds - took[-1]))
        until(lambda: all(job.took is not None for job in _jobs(store)), "some jobs never ended")
        return Outcome(_jobs(store), stretches, took, refused)


@contextmanager
def _running(url: str, folder: Path) -> Iterator[tuple[Settings, Store, LeptonWorker]]:
    """One worker process of the model's task, ready, with a Redis of its own."""
    with ExitStack() as stack:
        database = Database(url)
        upgrade_schema(database)
        store = Store(database)
        stack.callback(store.close)
        server = stack.enter_context(MortalRedis(folder / "redis"))
        settings = Settings(
            home=folder / "home",
            database_url=database.engine.url.render_as_string(hide_password=False),
            redis_url=server.url,
            threads=1,
        )
        worker = LeptonWorker(settings, folder / "worker.log", 1, _entry().task)
        stack.callback(worker.kill)
        worker.until(lambda: worker.said("ready: "))
        yield settings, store, worker


@contextmanager
def _load(settings: Settings, store: Store) -> Iterator[None]:
    """Within the block jobs come on schedule, whether or not earlier ones have ended."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def send(producer: Producer) -> None:
        began, number = time.monotonic(), 0
        try:
            while not stop.wait(max(0.0, began + number / RATE - time.monotonic())):
                inputs = [f"{text} {number}" for text in _TEXTS]
                producer.submit(_entry().task, inputs=inputs)
                number += 1
        except BaseException as error:  # noqa: BLE001 - raised again where the block ends
            errors.append(error)

    with ExitStack() as stack:
        producer = Producer(settings, store)
        stack.callback(producer.close)
        thread = threading.Thread(target=send, args=(producer,), name="load")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
    if errors:
        raise errors[0]


def _entry() -> CatalogueEntry:
    return read_catalogue(DEFAULT_CATALOGUE)[MODEL]


def _publish(versions: Versions, folder: Path, number: int, with_encoder: bool) -> str:
    """Publish the shipped model once more, under another card."""
    entry = _entry()
    fields: dict[str, Any] = entry.model_dump(mode="json", exclude={"name", "folder", "default"})
    encoder = encoder_folder(entry)
    if with_encoder and encoder is not None:
        own = folder / f"encoder{number}"
        shutil.copytree(encoder, own)
        fields |= {"encoder_package": None, "encoder_folder": str(own)}
    staged = versions.stage(MODEL)
    shutil.copytree(entry.model_folder, staged, dirs_exist_ok=True)
    with (staged / "CARD.md").open("a", encoding="utf-8") as card:
        card.write(f"\nVersion {number}.\n")
    return versions.publish(staged, MODEL, fields, {})


@contextmanager
def _stretch(worker: LeptonWorker, into: list[Stretch], *, swapping: bool) -> Iterator[None]:
    """Note the block as a stretch."""
    began, used = time.time(), _cpu(worker)
    yield
    into.append(Stretch(began, time.time(), swapping, _cpu(worker) - used))


def _cpu(worker: LeptonWorker) -> float:
    times = [child.cpu_times() for child in worker.children()]
    return sum(one.user + one.system for one in times)


def _changed(worker: LeptonWorker, times: int) -> list[str]:
    """Wait until the worker has said so many times what came of a swap; what it refused last.

    It is read from its log, because whoever asks it takes time from it.
    """

    def said() -> list[tuple[str, str]]:
        return _SAID.findall(worker.log.read_text())

    worker.until(lambda: len(said()) >= times)
    return [why for _, why in said()[times - 1 :] if why]


def _jobs(store: Store) -> list[Job]:
    columns = (jobs.c.created_at, jobs.c.finished_at, jobs.c.state, jobs.c.result)
    with store.database.read() as connection:
        rows = connection.execute(select(*columns).order_by(jobs.c.created_at, jobs.c.id)).all()
    return [
        Job(
            created_at,
            None if finished_at is None else finished_at - created_at,
            state,
            None if result is None else orjson.loads(result)["model"]["revision"],
        )
        for created_at, finished_at, state, result in rows
    ]


def _at(ordered: Sequence[float], share: float) -> float:
    return percentile(ordered, share) or 0.0
