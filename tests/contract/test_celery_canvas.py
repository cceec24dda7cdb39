"""Stock Celery beside our worker: canvases of our tasks and of somebody's own, by one producer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from celery import Celery, chain, chord, group
from celery.exceptions import ChordError, TaskRevokedError
from celery.result import AsyncResult, GroupResult

from lepton_tasks.celery.failures import JobFailed
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.settings import Settings
from tests.support.message import messages_of
from tests.support.noop import NoopBench, noop_bench
from tests.support.users_worker import users_producer, users_worker

WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Bench:
    """A worker of ours, one of somebody's own, and a stock producer."""

    app: Celery
    ours: NoopBench
    redis: redis.Redis

    def noop(self, *args: Any, **options: Any) -> Any:
        """A call of our task; its result is ``{"characters": …}``."""
        kwargs = options.pop("kwargs", {})
        return self.app.signature("lepton.noop", args=args, kwargs=kwargs, options=options)

    def users(self, name: str, *args: Any, **options: Any) -> Any:
        """A call of somebody's own task."""
        return self.app.signature(f"users.{name}", args=args, options=options)

    def calls(self) -> list[str]:
        """What the calls of somebody's own tasks noted since the last test."""
        raw: Any = self.redis.lrange("users:calls", 0, -1)
        return [one.decode() for one in raw]

    def called(self, wanted: str) -> None:
        """Wait until a call was noted, and see that it is so once."""
        self.ours.until(lambda: any(wanted in one for one in self.calls()))
        assert Counter(wanted in one for one in self.calls())[True] == 1


@pytest.fixture(scope="module")
def running(
    redis_server: EmbeddedRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("canvas")
    settings = Settings(
        home=folder, redis_url=redis_server.url[:-1] + "12", lease_seconds=5.0, celery_queue="users"
    )
    with noop_bench(settings, folder / "ours.log") as ours:
        client = redis.Redis.from_url(settings.redis_url)
        with users_worker(ours.settings, folder / "users.log"):
            yield Bench(users_producer(ours.settings), ours, client)
        client.close()


@pytest.fixture
def bench(running: Bench) -> Bench:
    running.redis.delete("users:calls")
    return running


def test_link(bench: Bench) -> None:
    sent = bench.noop("你好", link=[bench.users("keep"), bench.users("say")]).apply_async()
    assert sent.get(timeout=WAIT) == {"characters": 2}
    bench.called("('keep', {'characters': 2})")
    bench.called("('say', {'characters': 2})")
    bench.ours.until(lambda: len(AsyncResult(sent.id, app=bench.app).children or []) == 2)
    kept, said = AsyncResult(sent.id, app=bench.app).children
    assert kept.get(timeout=WAIT) == {"characters": 2}
    assert said.get(timeout=WAIT) == "字字字"
    collected = [value for _, value in AsyncResult(sent.id, app=bench.app).collect()]
    assert collected == [{"characters": 2}, {"characters": 2}, "字字字"]


def test_link_error(bench: Bench) -> None:
    sent = bench.noop("hi", kwargs={"nope": 1}, link_error=bench.users("failed")).apply_async()
    with pytest.raises(JobFailed, match="unknown_field"):
        sent.get(timeout=WAIT)
    bench.called(f"('failed', '{sent.id}')")


def test_a_chain_goes_from_ours_to_others_and_back(bench: Bench) -> None:
    made = chain(bench.noop("你好"), bench.users("say"), bench.noop(), app=bench.app)
    sent = made.apply_async()
    assert sent.get(timeout=WAIT) == {"characters": 3}
    assert sent.parent.get(timeout=WAIT) == "字字字"
    assert sent.parent.parent.get(timeout=WAIT) == {"characters": 2}


def test_a_chain_of_ours_takes_a_field_of_the_output_before(bench: Bench) -> None:
    made = chain(
        bench.users("wrap", "四个汉字"), bench.noop(kwargs={"take": "made.text"}), app=bench.app
    )
    assert made.apply_async().get(timeout=WAIT) == {"characters": 4}
    made = chain(bench.noop("hi"), bench.noop(kwargs={"take": "text"}), app=bench.app)
    with pytest.raises(JobFailed, match="no field 'text'"):
        made.apply_async().get(timeout=WAIT)
    made = chain(bench.noop("hi"), bench.noop("unchanged").set(immutable=True), app=bench.app)
    assert made.apply_async().get(timeout=WAIT) == {"characters": 9}


def test_a_chain_fails_to_its_end(bench: Bench) -> None:
    made = chain(
        bench.noop("hi", kwargs={"nope": 1}), bench.users("keep"), bench.noop(), app=bench.app
    )
    sent = made.apply_async(link_error=bench.users("failed"))
    with pytest.raises(JobFailed):
        sent.get(timeout=WAIT)
    for one in (sent, sent.parent):
        assert AsyncResult(one.id, app=bench.app).failed()
    bench.called(f"('failed', '{sent.parent.parent.id}')")


def test_a_group_is_saved_restored_joined_and_forgotten(bench: Bench) -> None:
    sent = group([bench.noop("字" * n) for n in range(1, 20)], app=bench.app).apply_async()
    sent.save()
    restored = GroupResult.restore(sent.id, app=bench.app)
    assert restored == sent
    wanted = [{"characters": n} for n in range(1, 20)]
    assert restored.join(timeout=WAIT) == wanted
    assert restored.get(timeout=WAIT) == wanted
    assert restored.successful() and restored.completed_count() == 19
    restored.delete()
    assert GroupResult.restore(sent.id, app=bench.app) is None
    restored.forget()
    with pytest.raises(JobFailed, match="deleted"):
        AsyncResult(sent.results[0].id, app=bench.app).get(timeout=WAIT)


def test_a_revoked_group(bench: Bench) -> None:
    made = [
        bench.noop(f"revoke {n}", link_error=bench.users("failed"), countdown=3600)
        for n in range(3)
    ]
    sent = group(made, app=bench.app).apply_async()
    sent.revoke()
    for one in sent.results:
        with pytest.raises(TaskRevokedError):
            one.get(timeout=WAIT)
    for one in sent.results:
        bench.called(f"('failed', '{one.id}')")


def test_a_chord_of_ours_with_a_body_of_others(bench: Bench) -> None:
    header = [bench.noop("字" * n) for n in range(1, 31)]
    sent = chord(header, bench.users("total"), app=bench.app).apply_async()
    assert sent.get(timeout=WAIT) == 465
    assert [one.get(timeout=WAIT)["characters"] for one in sent.parent.results] == [*range(1, 31)]
    outputs = [{"characters": n} for n in range(1, 31)]
    bench.called(f"('total', {outputs}, 0)")


def test_a_chord_of_others_and_ours_with_a_body_of_ours(bench: Bench) -> None:
    header = [bench.users("wrap", "三个字"), bench.users("wrap", "hi")]
    body = bench.noop(kwargs={"take": "made.text"})
    sent = chord(header, body, app=bench.app).apply_async()
    assert sent.get(timeout=WAIT) == [{"characters": 3}, {"characters": 2}]
    header = [bench.noop("mixed"), bench.users("keep", 7)]
    sent = chord(header, bench.users("total"), app=bench.app).apply_async()
    assert sent.get(timeout=WAIT) == 12


@pytest.mark.parametrize("who", ["ours", "others"])
def test_a_chord_fails_with_the_part_that_failed(bench: Bench, who: str) -> None:
    bad = bench.noop("hi", kwargs={"nope": 1}) if who == "ours" else bench.users("fail")
    made = chord([bench.noop("fine"), bad], bench.users("total"), app=bench.app)
    sent = made.apply_async(link_error=bench.users("failed"))
    with pytest.raises((ChordError, JobFailed, ValueError)):
        sent.get(timeout=WAIT)
    bench.called(f"('failed', '{sent.id}')")
    with pytest.raises(ChordError, match="Dependency"):
        AsyncResult(sent.id, app=bench.app).get(timeout=WAIT)
    assert not any("total" in one for one in bench.calls())


@dataclass(frozen=True, slots=True)
class Calls:
    """Short names for calls; see ``Bench``."""

    bench: Bench

    def n(self, *args: Any) -> Any:
        """Count characters: our task."""
        return self.bench.noop(*args)

    def k(self, *args: Any) -> Any:
        """Give a value back: somebody's task."""
        return self.bench.users("keep", *args)

    def t(self) -> Any:
        """Add counts up: somebody's task."""
        return self.bench.users("total")

    def s(self) -> Any:
        """A text one longer than a count: somebody's task."""
        return self.bench.users("say")

    def chain(self, *steps: Any) -> Any:
        return chain(*steps, app=self.bench.app)

    def group(self, *tasks: Any) -> Any:
        return group(list(tasks), app=self.bench.app)

    def chord(self, header: Any, body: Any) -> Any:
        return chord(header, body, app=self.bench.app)


def one(count: int) -> dict[str, int]:
    """What our task returns."""
    return {"characters": count}


SHAPES: dict[str, tuple[Callable[[Calls], Any], Any]] = {
    "one part": (lambda c: c.chord([c.n("a")], c.t()), 1),
    "no part": (lambda c: c.chord([], c.t()), 0),
    "made as it is sent": (lambda c: c.chord((c.n("字" * n) for n in range(1, 4)), c.t()), 6),
    "a chain as the body": (
        lambda c: c.chord([c.n("ab"), c.n("c")], c.chain(c.t(), c.k())),
        3,
    ),
    "a body that ends in a group": (
        lambda c: c.chord([c.n("a"), c.n("b")], c.chain(c.t(), c.group(c.k(), c.k()))),
        [2, 2],
    ),
    "a group as the body": (
        lambda c: c.chord([c.n("a")], c.group(c.t(), c.k())),
        [1, [one(1)]],
    ),
    "a chord after a chord": (
        lambda c: c.chain(c.chord([c.n("ab")], c.t()), c.chord([c.k(), c.k()], c.k())),
        [2, 2],
    ),
    "groups around a task": (
        lambda c: c.chain(c.group(c.n("a"), c.n("bb")), c.t(), c.group(c.k(), c.k())),
        [3, 3],
    ),
    "a group in the header": (
        lambda c: c.chord([c.group(c.n("a"), c.n("b")), c.n("c")], c.t()),
        3,
    ),
    "chords in chords": (
        lambda c: c.chord([c.chord([c.chord([c.n("a"), c.n("b")], c.t()), c.k(5)], c.t())], c.t()),
        7,
    ),
    "chains in chains": (
        lambda c: c.chord(
            [c.chain(c.n("ab"), c.chain(c.s(), c.n())), c.chain(c.k(1), c.k())], c.k()
        ),
        [one(3), 1],
    ),
    "a fan inside a part": (
        lambda c: c.chord([c.chain(c.n("ab"), c.group(c.s(), c.k()), c.k()), c.n("x")], c.k()),
        [["字字字", one(2)], one(1)],
    ),
    "a part that ends in a group": (
        lambda c: c.chord([c.k(5), c.chain(c.n("hi"), c.group(c.s(), c.k()))], c.k()),
        [5, ["字字字", one(2)]],
    ),
    "a fan whose body is ours": (
        lambda c: c.chain(c.k("四个汉字"), c.group(c.k(), c.k()), c.n()),
        [one(4), one(4)],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_canvases_inside_canvases(bench: Bench, shape: str) -> None:
    make, wanted = SHAPES[shape]
    sent = make(Calls(bench)).apply_async()
    assert sent.get(timeout=WAIT) == wanted


@pytest.mark.parametrize("depth", [1, 2])
def test_a_failure_deep_inside_ends_all_that_waits_for_it(bench: Bench, depth: int) -> None:
    c = Calls(bench)
    made: Any = c.chain(c.n("ab"), bench.users("fail"), c.n())
    for _ in range(depth):
        made = c.chord([made, c.n("x")], c.k())
    sent = c.chain(made, c.k()).apply_async(link_error=bench.users("failed"))
    with pytest.raises((ChordError, ValueError)):
        sent.get(timeout=WAIT)
    bench.ours.until(lambda: AsyncResult(sent.id, app=bench.app).failed())
    bench.ours.until(lambda: any("failed" in call for call in bench.calls()))
    assert not any("keep" in call for call in bench.calls())


def test_headers_priorities_and_times(bench: Bench) -> None:
    sent = bench.noop("hi").apply_async(
        headers={"trace": "abc"}, priority=3, queue="noop.high", expires=3600
    )
    assert sent.get(timeout=WAIT) == {"characters": 2}
    assert bench.ours.producer.get(sent.id).priority == "high"
    late = bench.noop("hi").apply_async(countdown=-1, expires=-0.5)
    with pytest.raises(TaskRevokedError, match="expired"):
        late.get(timeout=WAIT)


def test_what_is_too_large_to_follow_goes_to_quarantine(bench: Bench) -> None:
    sent = bench.noop("hi", link=bench.users("keep", "字" * 200_000)).apply_async()
    bench.ours.until(lambda: bench.redis.llen("lepton:quarantine") > 0)
    raw: Any = bench.redis.lrange("lepton:quarantine", 0, -1)
    [entry] = [one for one in raw if sent.id.encode() in one]
    assert b"bytes what is to follow it, and 262144 are allowed" in entry
    assert AsyncResult(sent.id, app=bench.app).state == "PENDING"


def test_what_a_worker_owed_that_died_is_sent_once(bench: Bench) -> None:
    """The last test here: it leaves no worker of ours."""
    held, store = "users-held", bench.ours.store
    bench.redis.set(held, "no list, so nothing can be sent there")
    sent = bench.noop("你好", link=bench.users("keep", queue=held)).apply_async()
    assert sent.get(timeout=WAIT) == {"characters": 2}
    bench.ours.worker.kill()
    assert store.follow_ups.count() == 1
    bench.redis.delete(held)
    with store.database.write() as connection:  # as if the time had passed for which it had them
        connection.exec_driver_sql("UPDATE follow_ups SET next_at = 0")
    reconciler = Reconciler(store, bench.ours.settings, "another process")
    end = time.monotonic() + WAIT
    while store.follow_ups.count():  # at first the dead one is still the reconciler
        assert time.monotonic() < end
        reconciler.run_once()
        time.sleep(0.1)
    reconciler.close()
    [message] = messages_of(bench.redis, held)
    [child] = AsyncResult(sent.id, app=bench.app).children
    assert message["headers"]["id"] == child.id
