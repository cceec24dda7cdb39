"""The stage of lookups: what needs none passes, the rest waits its turn, failures are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from lepton_tasks.errors import NotFound, StoreUnavailable
from lepton_tasks.jobs import ClaimedJob, Payload
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.nlp.retrieval import FoundPassage, Lookup
from lepton_tasks.queues import Priority
from tests.support.held import LengthEngine, held
from tests.support.sending import eventually
from workers.candidates import MOST_CHARACTERS, NO_CORPUS, NOT_INDEXED, CandidateStage
from workers.held import HeldJob, HeldJobs, Input
from workers.outcomes import CANCELLED, Failed


class Search:
    """Finds the text itself; ``unindexed`` tells how many pages a corpus has left."""

    def __init__(self) -> None:
        self.unindexed: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []
        self.gone: set[str] = set()
        self.refreshed = threading.Event()
        self.idle_pages = 0
        self.away = 0
        self.size = 1
        self.go = threading.Event()
        self.go.set()

    def find(self, tenant: str, wanted: Lookup) -> list[FoundPassage]:
        self.go.wait(30)
        self.asked.append((tenant, wanted.text))
        if wanted.text == "bad":
            raise ValueError("a secret")
        return [FoundPassage("d", wanted.text * self.size, 0)]

    def index(self, tenant: str, corpus: str) -> bool:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        if corpus in self.gone:
            raise NotFound(f"no corpus {corpus}")
        left = self.unindexed.get(corpus, 0)
        self.unindexed[corpus] = left - 1
        return left > 0

    def index_any(self) -> bool:
        self.idle_pages -= 1
        return self.idle_pages >= 0

    def refresh(self) -> None:
        self.refreshed.set()


class Bench:
    """A stage and all around it."""

    def __init__(self) -> None:
        self.search = Search()
        self.passed: list[HeldJob] = []
        self.failed: list[tuple[str, int, Failed]] = []
        self.jobs = HeldJobs()
        self.stage = CandidateStage(self.passed.extend, self.search, self, self.jobs, indexes=True)

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        self.failed += [(*one.name, why) for one in inputs]

    def add(self, *jobs: HeldJob) -> None:
        self.jobs.add(jobs)
        self.stage.add(jobs)

    def ids(self) -> list[str]:
        return [job.claim.id for job in self.passed]


@contextmanager
def running(bench: Bench) -> Iterator[Bench]:
    bench.stage.start()
    try:
        yield bench
    finally:
        bench.search.go.set()
        bench.stage.close()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def asking(
    *texts: str,
    corpus: str | None = "c",
    job_id: str = "job",
    priority: Priority = Priority.NORMAL,
    tenant: str = "acme",
) -> HeldJob:
    task = get_task("similarity")
    payload = Payload(tuple({"text": text} for text in texts), False)
    claim = ClaimedJob(job_id, tenant, task.name, priority, payload, 1, "c")
    engine: Any = LengthEngine()
    options = task.options_model.model_validate({"corpus": corpus})
    return HeldJob(claim, task, engine, options, None)


def test_what_needs_no_lookup_passes_at_once(bench: Bench) -> None:
    others = [held("text"), asking("text", corpus=None, job_id="other")]
    bench.add(*others)  # although the thread does not run yet
    assert bench.passed == others
    assert len(bench.stage) == 0


def test_each_input_gets_what_was_found_for_it(bench: Bench) -> None:
    job = asking("one", "二")
    with running(bench):
        bench.add(job)
        assert len(bench.stage) in (0, 2)
        eventually(lambda: bench.ids() == ["job"])
    assert {place: found[0].text for place, found in job.found.items() if found} == {
        0: "one",
        1: "二",
    }
    assert Input(job, 0).characters == 2 * len("one")
    assert bench.search.asked == [("acme", "one"), ("acme", "二")]


def test_the_last_message_of_a_dialogue_is_looked_up(bench: Bench) -> None:
    task = get_task("chat")
    messages = [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "几点开门？"},
    ]
    payload = Payload(({"messages": messages, "history": [2, 0]},), True)
    claim = ClaimedJob("turn", "acme", task.name, Priority.NORMAL, payload, 1, "c")
    engine: Any = LengthEngine()
    options = task.options_model.model_validate({"corpus": "c"})
    with running(bench):
        bench.add(HeldJob(claim, task, engine, options, None))
        eventually(lambda: bench.ids() == ["turn"])
    assert bench.search.asked == [("acme", "几点开门？")]


def test_the_urgent_come_first_and_the_others_take_turns(bench: Bench) -> None:
    bench.add(
        asking("a1", "a2", "a3", job_id="a"),
        asking("b1", job_id="b", tenant="other"),
        asking("h1", "h2", job_id="h", priority=Priority.HIGH),
    )
    with running(bench):
        eventually(lambda: len(bench.passed) == 3)
    assert [text for _, text in bench.search.asked] == ["h1", "h2", "a1", "b1", "a2", "a3"]
    assert bench.ids() == ["h", "b", "a"]


def test_who_waits_for_an_index_holds_up_nobody(bench: Bench) -> None:
    bench.search.unindexed["large"] = 5
    bench.add(asking("slow", corpus="large", job_id="large"), asking("quick", job_id="small"))
    with running(bench):
        eventually(lambda: bench.ids() == ["small", "large"])


def test_a_corpus_that_is_gone_fails_the_job_and_a_bad_input_only_itself(bench: Bench) -> None:
    bench.search.gone.add("gone")
    mixed = asking("good", "bad", job_id="mixed")
    with running(bench):
        bench.add(asking("a", "b", corpus="gone", job_id="lost"), mixed)
        eventually(lambda: bench.ids() == ["mixed"])
    assert bench.failed == [("lost", 0, NO_CORPUS), ("lost", 1, NO_CORPUS)]
    assert mixed.found[1] is None and mixed.found[0] is not None


def test_an_index_that_takes_too_long_fails_the_job_for_now(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(tenant: str, corpus: str) -> bool:
        raise TimeoutError

    monkeypatch.setattr(bench.search, "index", late)
    with running(bench):
        bench.add(asking("a"))
        eventually(lambda: bench.failed == [("job", 0, NOT_INDEXED)])
    assert NOT_INDEXED.retryable


def test_a_cancelled_job_is_not_looked_up(bench: Bench) -> None:
    job = asking("a")
    job.cancelled = True
    with running(bench):
        bench.add(job)
        eventually(lambda: bench.failed == [("job", 0, CANCELLED)])
    assert bench.search.asked == []


def test_a_database_that_is_away_is_waited_for(bench: Bench) -> None:
    bench.search.away = 2
    with running(bench):
        bench.add(asking("a"))
        eventually(lambda: bench.ids() == ["job"])
    assert bench.failed == []


def test_no_more_is_looked_up_than_may_be_held(bench: Bench) -> None:
    bench.search.size = MOST_CHARACTERS + 1
    first, second = asking("x", job_id="first"), asking("x", job_id="second")
    with running(bench):
        bench.add(first, second)
        eventually(lambda: len(bench.passed) == 1)
        assert len(bench.stage) == 1
        bench.jobs.discard(bench.passed)
        eventually(lambda: len(bench.passed) == 2)


def test_closing_returns_what_waits(bench: Bench) -> None:
    bench.search.go.clear()
    first, second = asking("a", job_id="first"), asking("b", job_id="second")
    bench.add(first, second)
    bench.stage.start()
    bench.search.go.set()
    left = bench.stage.close()
    assert {job.claim.id for job in left} | set(bench.ids()) == {"first", "second"}
    bench.stage.add([asking("c")])
    assert len(bench.stage) == len(left)


def test_an_idle_worker_indexes_and_forgets(bench: Bench) -> None:
    bench.search.idle_pages = 3
    with running(bench):
        eventually(lambda: bench.search.idle_pages <= 0)
        assert bench.search.refreshed.wait(30)
