"""What a worker holds: identical inputs wait once, outputs keep their places."""

from __future__ import annotations

import threading
import time
from typing import Any

import orjson

from lepton_tasks.jobs import ClaimedJob, Payload
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.queues import Priority
from workers.engines.base import Encoded
from workers.work import HeldJob, Item, WorkQueue


class Named:
    """As much of an engine as the queue looks at."""

    name = "model"


def held(*texts: str, priority: Priority = Priority.NORMAL) -> HeldJob:
    claim = ClaimedJob("job", "acme", "moderation", priority, Payload(texts, False), 1, "c")
    count = len(texts)
    return HeldJob(claim, get_task("moderation"), None, None, [None] * count, count)


def items_of(job: HeldJob) -> list[Item]:
    engine: Any = Named()
    return [
        Item(job, place, ModelInput(text, "en"), Encoded(len(text), None), engine)
        for place, text in enumerate(job.claim.payload.inputs)
    ]


def always(_: bool) -> int:
    return 1000


def test_identical_inputs_run_once() -> None:
    queue = WorkQueue()
    queue.add(items_of(held("same", "other", "same")))
    queue.add(items_of(held("same")))
    assert len(queue) == 4
    batch = queue.take(always, 1.0)
    assert [item.model_input.text for item in batch] == ["same", "other"]
    assert sum(1 for item in batch for _ in item.with_followers()) == 4
    assert len(queue) == 0


def test_urgent_work_does_not_follow_bulk() -> None:
    queue = WorkQueue()
    queue.add(items_of(held("same", priority=Priority.BULK)))
    queue.add(items_of(held("same", priority=Priority.HIGH)))
    seen: list[bool] = []

    def budget(urgent: bool) -> int:
        seen.append(urgent)
        return 1000

    [first] = queue.take(budget, 1.0)
    assert first.rank == 0
    [second] = queue.take(budget, 1.0)
    assert second.rank == 2
    assert seen == [True, False]


def test_what_came_after_the_micro_batch_runs_again() -> None:
    queue = WorkQueue()
    queue.add(items_of(held("same")))
    [taken] = queue.take(always, 1.0)
    queue.add(items_of(held("same")))
    assert taken.followers == []
    assert len(queue.take(always, 1.0)) == 1


def test_close_gives_back_followers_too() -> None:
    queue = WorkQueue()
    queue.add(items_of(held("same", "same", "other")))
    assert len(queue.close()) == 3
    assert queue.take(always, 1.0) == []


def test_take_returns_at_once_when_work_comes() -> None:
    queue = WorkQueue()
    threading.Timer(0.1, lambda: queue.add(items_of(held("text")))).start()
    began = time.monotonic()
    assert len(queue.take(always, 60.0)) == 1
    assert time.monotonic() - began < 30


def test_outputs_keep_their_places_and_errors_stay_their_own() -> None:
    job = held("a", "b", "c")
    assert not job.complete(2, b'{"n":2}')
    assert not job.fail_item(1, "model_error", "no")
    assert job.complete(0, b'{"n":0}')
    finished = job.finished("m", "r1")
    assert finished.result is not None
    answer = orjson.loads(finished.result)
    assert answer["model"] == {"name": "m", "revision": "r1"}
    assert answer["outputs"] == [
        {"n": 0},
        {"error": {"code": "model_error", "message": "no"}},
        {"n": 2},
    ]
    assert (finished.failed_items, finished.error) == (1, None)


def test_a_job_without_a_good_item_has_failed() -> None:
    job = held("a", "b")
    job.fail_item(0, "x", "one")
    assert job.fail_item(1, "y", "two")
    finished = job.finished("m", "r1")
    assert finished.result is None
    assert finished.error is not None
    assert orjson.loads(finished.error)["code"] == "y"
