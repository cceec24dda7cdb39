"""Submitting is durable, whatever Redis does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import BACKLOG_CHANNEL, announce
from lepton_tasks.errors import IdempotencyConflict, InvalidInput, NotFound, StoreUnavailable
from lepton_tasks.jobs import FinishedJob, Submitted
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.producer import Producer
from lepton_tasks.queues import Priority
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database
from lepton_tasks.store.store import Store
from tests.support.message import messages_of


@pytest.fixture
def producer(store: Store, settings: Settings, redis_url: str) -> Producer:
    return Producer(settings.model_copy(update={"redis_url": redis_url}), store)


def narrow(producer: Producer) -> Producer:
    """A producer of another process, with a small window."""
    return Producer(producer.settings.model_copy(update={"publish_window": 32}), producer.store)


def queued(producer: Producer, queue: str = "moderation.normal") -> list[str]:
    client = connect(producer.settings.redis_url, 5.0)
    return [message["headers"]["id"] for message in messages_of(client, queue)]


def test_a_submit_is_stored_and_published(producer: Producer) -> None:
    submitted = producer.submit("moderation", "你好", priority="bulk")
    assert producer.get(submitted.id).state is JobState.QUEUED
    assert queued(producer, "moderation.bulk") == [submitted.id]


def test_a_replay_is_not_published_again(producer: Producer) -> None:
    first = producer.submit("moderation", "hello", idempotency_key="k")
    again = producer.submit("moderation", "hello", idempotency_key="k")
    assert (again.id, again.replayed) == (first.id, True)
    assert queued(producer) == [first.id]
    with pytest.raises(IdempotencyConflict):
        producer.submit("moderation", "something else", idempotency_key="k")


@pytest.mark.parametrize("durable", [True, False])
def test_who_can_submit_again_need_not_wait_for_the_disk(
    producer: Producer, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    waited: list[str] = []
    database = producer.store.database
    write, flush = database.write, database.flush

    def noted_write(durable: bool = True) -> Any:
        waited.extend(["commit"] * durable)
        return write(durable)

    def noted_flush() -> None:
        waited.append("flush")
        flush()

    monkeypatch.setattr(database, "write", noted_write)
    monkeypatch.setattr(database, "flush", noted_flush)
    another = Producer(producer.settings, producer.store, durable=durable)
    submitted = another.submit("moderation", "你好")
    assert queued(producer) == [submitted.id]
    assert bool(waited) is durable
    another.close()


@pytest.fixture
def flushes(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was on the queue at each flush of the database's log; all of it was committed."""
    seen: list[list[str]] = []
    flush = producer.store.database.flush

    def note() -> None:
        ids = queued(producer)
        assert len(producer.store.jobs.find("default", ids)) == len(ids)
        seen.append(ids)
        flush()

    monkeypatch.setattr(producer.store.database, "flush", note)
    return seen


def test_the_message_of_a_lone_submit_does_not_wait_for_the_disk(
    producer: Producer, flushes: list[list[str]]
) -> None:
    ids = [producer.submit("moderation", text).id for text in ("one", "two")]
    assert flushes == [ids[:1], ids]


def test_a_submit_is_not_acknowledged_where_the_disk_fails(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreUnavailable("disk")

    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable, match="disk"):
        patched.setattr(producer.store.database, "flush", fail)
        producer.submit("moderation", "hello")
    assert producer.get(producer.submit("moderation", "again").id).state is JobState.QUEUED


def test_an_answer_by_another_callers_job_waits_for_its_row(
    producer: Producer, flushes: list[list[str]]
) -> None:
    """A replay in company: its own transaction has nothing to make durable."""
    company, entered = threading.Event(), threading.Event()
    publish = producer._publish

    def hold(*group: Any) -> None:
        if not entered.is_set():
            entered.set()
            assert company.wait(30)
        publish(*group)

    producer._commits._finish = hold
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(producer.submit, "moderation", "hello", idempotency_key="k")
        assert entered.wait(30)
        again = producer.submit("moderation", "hello", idempotency_key="k")
        assert (again.replayed, flushes) == (True, [[]])
        company.set()
        assert first.result(30).id == again.id
    assert flushes == [[], [again.id]]


def test_concurrent_submits_with_one_key_give_one_job(
    producer: Producer, database_url: str
) -> None:
    """Sixty-four callers, half of them in a producer that shares nothing with the first."""
    store = Store(Database(database_url))
    other = Producer(producer.settings, store)
    rounds, start = 8, threading.Barrier(64)

    def submit(place: int) -> list[Submitted]:
        mine = other if place % 2 else producer
        answers = []
        for key in range(rounds):
            start.wait(60)
            answers.append(mine.submit("moderation", f"第 {key} 个", idempotency_key=f"k{key}"))
        return answers

    with ThreadPoolExecutor(64) as pool:
        answers = [future.result() for future in [pool.submit(submit, n) for n in range(64)]]
    store.close()
    for key in range(rounds):
        mine = [of_caller[key] for of_caller in answers]
        assert len({answer.id for answer in mine}) == 1
        assert sum(not answer.replayed for answer in mine) == 1
    assert sorted(queued(producer)) == sorted({answers[0][key].id for key in range(rounds)})


def test_concurrent_submits_are_all_stored_and_published(producer: Producer) -> None:
    def submit(place: int) -> str:
        return producer.submit("moderation", f"number {place}", priority="high").id

    async def put(place: int) -> str:
        request = JobRequest("moderation", f"number {place}", priority="high")
        [answer] = await producer.put_async([producer.admission.admit("default", request)])
        return answer.id

    async def puts() -> list[str]:
        return await asyncio.gather(*(put(place) for place in range(100)))

    with ThreadPoolExecutor(32) as pool:
        threads = [pool.submit(submit, n) for n in range(200)]
        ids = asyncio.run(puts()) + [future.result() for future in threads]
    assert len(set(ids)) == 300
    assert sorted(queued(producer, "moderation.high")) == sorted(ids)
    assert len(producer.store.jobs.find("default", ids)) == 300


def test_many_are_submitted_chunk_by_chunk_in_order(producer: Producer) -> None:
    read = 0

    def requests() -> Iterator[JobRequest]:
        nonlocal read
        for read in range(1, 26):
            yield JobRequest("moderation", f"第 {read} 个", metadata={"n": str(read)})

    answers = producer.submit_many(requests(), tenant="acme", chunk=10)
    assert read == 0
    first = next(answers)
    assert read == 10  # read as the iteration goes on
    ids = [first.id, *(answer.id for answer in answers)]
    assert queued(producer) == ids
    numbers = [producer.get(job_id, "acme").metadata["n"] for job_id in ids]
    assert numbers == [str(n) for n in range(1, 26)]


def test_large_texts_make_smaller_transactions(producer: Producer) -> None:
    requests = [JobRequest("moderation", inputs=["好" * 20_000] * 20) for _ in range(5)]
    answers = producer.submit_many(requests)
    next(answers)
    assert len(queued(producer)) == 2
    assert len([*answers]) == 4


def test_a_wrong_one_of_many_is_named_and_spoils_its_chunk_alone(producer: Producer) -> None:
    requests = [JobRequest("moderation", text) for text in ("a", "b", "c", "", "d", "e")]
    answers = producer.submit_many(requests, chunk=2)
    stored = [next(answers).id, next(answers).id]
    with pytest.raises(InvalidInput, match="request 3: input is empty") as caught:
        next(answers)
    assert (caught.value.param, caught.value.code) == ("input", "empty_text")
    assert queued(producer) == stored


def test_many_with_a_key_that_was_used_spoil_their_chunk_alone(producer: Producer) -> None:
    used = producer.submit("moderation", "hello", idempotency_key="k")
    requests = [
        JobRequest("moderation", "a"),
        JobRequest("moderation", "hello", idempotency_key="k"),
        JobRequest("moderation", "b"),
        JobRequest("moderation", "other", idempotency_key="k"),
    ]
    answers = producer.submit_many(requests, chunk=2)
    first, replayed = next(answers), next(answers)
    assert (replayed.id, replayed.replayed) == (used.id, True)
    with pytest.raises(IdempotencyConflict):
        next(answers)
    assert queued(producer) == [used.id, first.id]


def test_a_chunk_holds_at_least_one(producer: Producer) -> None:
    with pytest.raises(InvalidInput, match="chunk"):
        next(producer.submit_many([], chunk=0))
    assert list(producer.submit_many([])) == []


def test_a_later_job_is_not_published_yet(producer: Producer) -> None:
    producer.submit("moderation", "hello", run_at=4_000_000_000)
    assert queued(producer) == []


def test_without_redis_a_submit_still_counts(store: Store, settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    submitted = Producer(away, store).submit("moderation", "hello")
    assert submitted.state is JobState.QUEUED
    with store.outbox.backlog("moderation", submitted.priority) as backlog:
        assert [job.id for job in backlog.jobs("default", 10)] == [submitted.id]


def test_what_is_beyond_the_window_waits_in_the_store(producer: Producer) -> None:
    requests = [JobRequest("moderation", f"{n}") for n in range(30)]
    ids = [answer.id for answer in narrow(producer).submit_many(requests)]
    assert queued(producer) == ids[:16]
    # What comes later goes behind what waits, though the queue has room again.
    connect(producer.settings.redis_url, 5.0).rpop("moderation.normal", 16)
    later = narrow(producer).submit("moderation", "later").id
    assert queued(producer) == []
    with producer.store.outbox.backlog("moderation", Priority.NORMAL) as backlog:
        assert [job.id for job in backlog.jobs("default", 50)] == [*ids[16:], later]


def test_a_tenant_with_little_waiting_passes_a_long_backlog(producer: Producer) -> None:
    mine = narrow(producer)
    flood = [JobRequest("moderation", f"{n}") for n in range(30)]
    ids = [answer.id for answer in mine.submit_many(flood, tenant="flood")]
    others = [mine.submit("moderation", "hello", tenant="quiet").id for _ in range(5)]
    assert queued(producer) == ids[:16] + others[:2]  # its share of the window
    many = [mine.submit("moderation", "hello", tenant=f"t{n}").id for n in range(20)]
    assert queued(producer) == ids[:16] + others[:2] + many[:14]  # the window is full
    for tenant, some in (("flood", ids[16:]), ("quiet", others[2:]), ("t19", many[19:])):
        with producer.store.outbox.backlog("moderation", Priority.NORMAL) as backlog:
            assert [job.id for job in backlog.jobs(tenant, 50)] == some
    assert producer.store.jobs.backlog() == {("moderation", "normal"): 55}


def test_a_window_is_one_queues(producer: Producer) -> None:
    mine = narrow(producer)
    list(mine.submit_many(JobRequest("moderation", f"{n}") for n in range(30)))
    urgent = mine.submit("moderation", "now", priority="high")
    assert queued(producer, "moderation.high") == [urgent.id]


def test_whoever_holds_jobs_back_says_so(producer: Producer) -> None:
    client = connect(producer.settings.redis_url, 5.0)
    with client.pubsub(ignore_subscribe_messages=True) as hints:  # type: ignore[no-untyped-call]
        hints.subscribe(BACKLOG_CHANNEL)
        assert hints.get_message(timeout=5) is None  # the subscription's own answer
        producer.submit("moderation", "hello")
        list(narrow(producer).submit_many(JobRequest("moderation", f"{n}") for n in range(30)))
        assert hints.get_message(timeout=30) is not None


def test_while_redis_is_away_it_is_asked_now_and_then(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    with Producer(away, store) as producer:
        ids = [producer.submit("moderation", f"{n}").id for n in range(20)]
    with store.outbox.backlog("moderation", Priority.NORMAL) as backlog:
        assert [job.id for job in backlog.jobs("default", 50)] == ids
    assert len(caplog.messages) < 20


def test_bad_input_stores_nothing(producer: Producer, store: Store) -> None:
    with pytest.raises(InvalidInput):
        producer.submit("moderation", "")
    assert store.jobs.page("default") == []
    assert queued(producer) == []


def test_wait_returns_when_the_job_ends(producer: Producer, store: Store) -> None:
    submitted = producer.submit("moderation", "hello")

    def work() -> None:
        [claim] = store.claims.claim("w1", [submitted.id])
        store.claims.finish([FinishedJob(claim, '{"outputs":[1]}', None)])
        announce(connect(producer.settings.redis_url, 5.0), [submitted.id])

    threading.Timer(0.2, work).start()
    job = producer.wait(submitted.id, 30)
    assert job.state is JobState.SUCCEEDED
    assert job.output() == 1


def test_wait_gives_up_with_the_job_as_it_is(producer: Producer) -> None:
    submitted = producer.submit("moderation", "hello")
    assert producer.wait(submitted.id, 0.1).state is JobState.QUEUED


def test_cancel_and_tenants(producer: Producer) -> None:
    submitted = producer.submit("moderation", "hello", tenant="acme")
    with pytest.raises(NotFound):
        producer.cancel(submitted.id, "umbrella")
    assert producer.cancel(submitted.id, "acme").state is JobState.CANCELLED


def test_a_corpus_is_made_and_filled_from_any_number_of_documents(producer: Producer) -> None:
    corpus = producer.create_corpus("手册")
    done = producer.add_documents("手册", ({"id": n % 600, "text": f"第{n}条"} for n in range(700)))
    assert (done.added, done.replaced, done.ids) == (600, 100, ())
    assert producer.store.corpora.get("default", corpus.id).version == done.version
    with pytest.raises(InvalidInput) as refused:
        producer.add_documents("手册", ["good", {"text": ""}])
    assert refused.value.param == "documents[1].text"
    with pytest.raises(NotFound):
        producer.add_documents("手册", ["theirs"], tenant="other")
    with pytest.raises(InvalidInput):
        producer.create_corpus("a b")
    assert producer.submit("similarity", {"text": "a"}, options={"corpus": "手册"}).id
    with pytest.raises(InvalidInput, match="there is no corpus 'none'"):
        producer.submit("similarity", {"text": "a"}, options={"corpus": "none"})
