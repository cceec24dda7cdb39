"""What waits for the model: identical inputs wait once, urgent work displaces what was ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from lepton_tasks.crashes import Crashes
from lepton_tasks.queues import Priority
from tests.support.held import held, items_of
from workers.held import Item
from workers.work import MicroBatch, WorkQueue


class Preparing:
    """Counts what is made ready, and waits where it is told to."""

    def __init__(self) -> None:
        self.made: list[list[str]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, items: Sequence[Item]) -> Any:
        self.made.append(texts(MicroBatch(items, None)))
        self.go_on.wait(30)
        return "ready"


def texts(batch: MicroBatch | None) -> list[str]:
    assert batch is not None
    return [item.model_input.text for item in batch.items]


def queue_of(*jobs: Any, budget: int = 1000) -> tuple[WorkQueue, Preparing]:
    preparing = Preparing()
    queue = WorkQueue(preparing, lambda lane: budget)
    for job in jobs:
        queue.add(items_of(job))
    return queue, preparing


def test_identical_inputs_run_once() -> None:
    queue, _ = queue_of(held("same", "other", "same"), held("same"))
    assert len(queue) == 4
    batch = queue.take(1.0)
    assert texts(batch) == ["same", "other"]
    assert batch is not None
    assert sum(1 for item in batch.items for _ in item.with_followers()) == 4
    assert len(queue) == 0


def test_inputs_of_two_versions_of_a_model_are_not_identical() -> None:
    queue, _ = queue_of(held("same", revision="old"), held("same", "same", revision="new"))
    batch = queue.take(1.0)
    assert batch is not None
    asked = [(item.engine.revision, len(item.followers)) for item in batch.items]
    assert asked == [("old", 0), ("new", 1)]


def test_urgent_work_does_not_follow_bulk() -> None:
    seen: list[bool] = []
    queue = WorkQueue(Preparing(), lambda lane: 1000, lambda: seen.append(True))
    queue.add(items_of(held("same", priority=Priority.BULK)))
    queue.add(items_of(held("same", priority=Priority.HIGH)))
    batches = [queue.take(1.0), queue.take(1.0)]
    assert [batch.items[0].rank for batch in batches if batch] == [0, 2]
    assert seen == [True]


def test_what_came_after_the_micro_batch_runs_again() -> None:
    queue, _ = queue_of(held("same"))
    taken = queue.take(1.0)
    queue.add(items_of(held("same")))
    assert taken is not None
    assert taken.items[0].followers == []
    assert texts(queue.take(1.0)) == ["same"]


def test_close_gives_back_followers_too() -> None:
    queue, _ = queue_of(held("same", "same", "other"))
    queue.prepare_next()
    assert len(queue.close()) == 3
    assert queue.take(1.0) is None


def test_take_returns_at_once_when_work_comes() -> None:
    queue, _ = queue_of()
    threading.Timer(0.1, lambda: queue.add(items_of(held("text")))).start()
    began = time.monotonic()
    assert texts(queue.take(60.0)) == ["text"]
    assert time.monotonic() - began < 30


def test_the_next_micro_batch_is_made_ready_once() -> None:
    queue, preparing = queue_of(held("one", "two"))
    queue.prepare_next()
    queue.prepare_next()
    assert preparing.made == [["one", "two"]]
    assert queue.take(1.0).prepared == "ready"  # type: ignore[union-attr]


def test_items_wait_all_the_same_while_they_are_ready() -> None:
    queue, _ = queue_of(held("one"))
    queue.prepare_next()
    assert len(queue) == 1
    queue.add(items_of(held("one")))
    batch = queue.take(1.0)
    assert batch is not None
    assert (texts(batch), len(batch.items[0].followers)) == (["one"], 1)


def test_urgent_work_displaces_what_was_ready() -> None:
    queue, _ = queue_of(held("bulk", priority=Priority.BULK))
    queue.prepare_next()
    queue.add(items_of(held("urgent", priority=Priority.HIGH)))
    assert texts(queue.take(1.0)) == ["urgent"]
    assert texts(queue.take(1.0)) == ["bulk"]


def test_a_micro_batch_that_others_could_join_is_chosen_anew() -> None:
    queue, _ = queue_of(held("one"))
    queue.prepare_next()
    queue.add(items_of(held("two")))
    batch = queue.take(1.0)
    assert batch is not None
    assert (texts(batch), batch.prepared) == (["one", "two"], None)


def test_a_full_one_stays_although_others_came() -> None:
    queue, _ = queue_of(held("one", "two"), budget=6)
    queue.prepare_next()
    queue.add(items_of(held("six", "ten")))
    batch = queue.take(1.0)
    assert batch is not None
    assert (texts(batch), batch.prepared) == (["one", "two"], "ready")


def test_the_model_waits_for_what_is_being_made_ready() -> None:
    queue, preparing = queue_of(held("one"))
    preparing.go_on.clear()
    making = threading.Thread(target=queue.prepare_next)
    making.start()
    while not preparing.made:
        time.sleep(0.01)
    threading.Timer(0.1, preparing.go_on.set).start()
    assert queue.take(30.0).prepared == "ready"  # type: ignore[union-attr]
    making.join()


def test_what_cannot_be_made_ready_is_left_to_the_runner() -> None:
    def prepare(items: Sequence[Item]) -> Any:
        raise MemoryError

    queue = WorkQueue(prepare, lambda lane: 1000)
    queue.add(items_of(held("one")))
    queue.prepare_next()
    batch = queue.take(1.0)
    assert batch is not None
    assert (texts(batch), batch.prepared) == (["one"], None)


def test_a_suspects_inputs_run_alone() -> None:
    suspect = held("same", "other", "same", job_id="suspect", crashes=Crashes({2: 1}))
    queue, _ = queue_of(held("same", "another"), suspect)
    queue.add(items_of(held("same", job_id="late")))
    batches = [queue.take(1.0) for _ in range(4)]
    first, *alone = batches
    assert texts(first) == ["same", "another"]
    assert [texts(batch) for batch in alone] == [["same"], ["other"], ["same"]]
    for batch in alone:
        assert batch is not None
        [item] = batch.items
        assert item.job is suspect
        assert list(item.with_followers()) == [item]
