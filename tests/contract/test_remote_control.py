"""Celery's own tools on a live worker: inspection, control, and the events Flower is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery.app.utils import filter_hidden_settings
from celery.result import AsyncResult

from lepton_tasks.broker.messages import thin_message
from lepton_tasks.celery.broker import broker_settings
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.support.noop import NoopBench, noop_bench

SECRET = "canary-紫色的河马-4711"
TASK = "lepton.noop"


def ask(bench: NoopBench, what: str, *arguments: Any) -> Any:
    """Answer of the one worker to an inspection."""
    inspect = bench.app.control.inspect([bench.worker.node], timeout=10, limit=1)
    return getattr(inspect, what)(*arguments)[bench.worker.node]


def tell(bench: NoopBench, what: str, *arguments: Any, **options: Any) -> Any:
    """Answer of the one worker to a command."""
    command: Callable[..., Any] = getattr(bench.app.control, what)
    [reply] = command(
        *arguments, destination=[bench.worker.node], reply=True, timeout=10, limit=1, **options
    )
    return reply[bench.worker.node]


def held(bench: NoopBench, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """What the worker says of these jobs, by whether they are on the device or wait."""
    return {
        what: [one for one in ask(bench, what) if one["id"] in ids]
        for what in ("active", "reserved")
    }


def test_a_backlog_is_seen_without_its_texts(bench: NoopBench) -> None:
    before = ask(bench, "stats")["total"].get(TASK, 0)
    with bench.held_up():
        ids = {bench.submit(f"{SECRET} {n}") for n in range(40)}
        bench.until(lambda: sum(map(len, held(bench, ids).values())) == 40)
        active, reserved = held(bench, ids).values()
        assert 1 <= len(active) <= 8  # one micro-batch is on the device
        assert {one["id"] for one in [*active, *reserved]} == ids
        assert all(one["time_start"] and one["worker_pid"] for one in active)
        assert {one["name"] for one in [*active, *reserved]} == {TASK}
        assert ask(bench, "ping") == {"ok": "pong"}
        some = next(iter(ids))
        asked = ask(bench, "query_task", some)
        assert list(asked) == [some]
        for seen in (active, reserved, asked, ask(bench, "stats")):
            assert "canary" not in repr(seen)
    assert {job.state for job in bench.ended(ids)} == {JobState.SUCCEEDED}
    bench.until(lambda: not any(held(bench, ids).values()))
    assert ask(bench, "stats")["total"][TASK] == before + 40


def test_a_job_whose_message_came_twice_is_not_reserved_for_ever(bench: NoopBench) -> None:
    ids = bench.unpublished(100)
    twice = [thin_message(job_id, "noop", "normal") for job_id in ids for _ in range(2)]
    bench.producer._redis.lpush("noop.normal", *twice)
    bench.ended(ids)
    bench.until(lambda: not any(held(bench, ids).values()))


def test_what_the_worker_is(bench: NoopBench) -> None:
    queues = {queue["name"] for queue in ask(bench, "active_queues")}
    assert queues == {"noop.high", "noop.normal", "noop.bulk"}
    assert any(task.startswith(TASK) for task in ask(bench, "registered"))
    stats = ask(bench, "stats")
    assert stats["pid"] == bench.worker.process.pid
    assert stats["broker"]["transport"].endswith("rediss")


def test_no_password_is_shown(bench: NoopBench) -> None:
    password = bench.settings.redis_url.partition("://:")[2].partition("@")[0]
    shown = [ask(bench, "conf"), ask(bench, "stats"), ask(bench, "report")]
    assert password not in repr(shown)
    url = "sentinel://:secret@a?master_name=m&sentinel_password=secret"
    assert "secret" not in repr(filter_hidden_settings(broker_settings(url)))


def test_a_revoked_id_is_remembered_and_others_run(bench: NoopBench) -> None:
    assert "ok" in tell(bench, "revoke", "no-such-job")
    assert "no-such-job" in ask(bench, "revoked")
    [job] = bench.ended([bench.submit("another")])
    assert job.state is JobState.SUCCEEDED


def test_a_revoked_job_that_waits_is_not_computed(bench: NoopBench) -> None:
    with bench.held_up():
        ids = [bench.submit(f"revoke {n}") for n in range(40)]
        bench.until(lambda: sum(map(len, held(bench, ids).values())) == 40)
        started = {one["id"] for one in held(bench, ids)["active"]}
        unwanted = [job_id for job_id in ids if job_id not in started][-3:]
        assert "ok" in tell(bench, "revoke", unwanted)
    others = [job_id for job_id in ids if job_id not in unwanted]
    assert {job.state for job in bench.ended(others)} == {JobState.SUCCEEDED}
    assert {job.state for job in bench.ended(unwanted)} == {JobState.CANCELLED}
    assert all(job.result is None for job in bench.jobs(unwanted))
    assert {AsyncResult(job_id, app=bench.app).status for job_id in unwanted} == {"REVOKED"}


def test_rate_limits_are_answered(bench: NoopBench) -> None:
    assert "ok" in tell(bench, "rate_limit", TASK, "1000/s")
    [job] = bench.ended([bench.submit("limited")])
    assert job.state is JobState.SUCCEEDED
    assert "ok" in tell(bench, "rate_limit", TASK, 0)
    assert "error" in tell(bench, "rate_limit", "no.such.task", "1/s")


def test_a_rate_limit_holds_messages_back_until_it_is_lifted(bench: NoopBench) -> None:
    redis = bench.producer._redis
    assert "ok" in tell(bench, "rate_limit", TASK, "1/h")
    try:
        first = [bench.submit(f"limited {n}") for n in range(3)]
        ids = [*first, bench.submit("urgent", "high"), bench.submit("bulk", "bulk")]
        queues = ("noop.high", "noop.normal", "noop.bulk")
        bench.until(lambda: sum(job.state is JobState.SUCCEEDED for job in bench.jobs(ids)) == 1)
        bench.until(lambda: sum(map(redis.llen, queues)) == 4)
        assert ask(bench, "ping") == {"ok": "pong"}
        assert sum(map(redis.llen, queues)) == 4
        states = [job.state for job in bench.jobs(ids)]
        assert sorted(states) == [JobState.QUEUED] * 4 + [JobState.SUCCEEDED]
        assert "ok" in tell(bench, "rate_limit", TASK, "5/s")
        assert {job.state for job in bench.ended(ids)} == {JobState.SUCCEEDED}
        assert "ok" in tell(bench, "rate_limit", TASK, "1/h")
        ids = [bench.submit(f"limited again {n}") for n in range(20)]
        bench.until(lambda: JobState.SUCCEEDED in [job.state for job in bench.jobs(ids)])
    finally:
        assert "ok" in tell(bench, "rate_limit", TASK, 0)
    assert {job.state for job in bench.ended(ids)} == {JobState.SUCCEEDED}


def test_queues_are_left_and_joined_again(bench: NoopBench) -> None:
    assert "ok" in tell(bench, "cancel_consumer", "noop.bulk")
    bench.until(lambda: len(ask(bench, "active_queues")) == 2)
    waiting = bench.submit("wait for me", "bulk")
    [job] = bench.ended([bench.submit("not for me", "high")])
    assert job.state is JobState.SUCCEEDED
    assert bench.producer.get(waiting).state is JobState.QUEUED
    assert "ok" in tell(bench, "add_consumer", "noop.bulk")
    assert bench.ended([waiting])[0].state is JobState.SUCCEEDED


@contextmanager
def events_of(bench: NoopBench) -> Iterator[list[dict[str, Any]]]:
    """What a stock receiver hears within the block; it listens before the block begins."""
    heard: list[dict[str, Any]] = []
    with bench.app.connection() as connection:
        receiver = bench.app.events.Receiver(connection, handlers={"*": heard.append})
        capture = receiver.itercapture(limit=None, timeout=None, wakeup=False)
        next(capture)

        def listen() -> None:
            for _ in capture:
                continue

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            receiver.should_stop = True
            thread.join()


def test_events_tell_the_life_of_each_job(bench: NoopBench) -> None:
    with events_of(bench) as heard:
        ids = [bench.submit(f"{SECRET} {n}") for n in range(200)]
        bench.ended(ids)

        def of(job_id: str) -> list[dict[str, Any]]:
            return [event for event in list(heard) if event.get("uuid") == job_id]

        bench.until(lambda: all(len(of(job_id)) >= 3 for job_id in ids))
        for job_id in ids:
            received, started, succeeded = of(job_id)
            assert [one["type"] for one in (received, started, succeeded)] == [
                "task-received",
                "task-started",
                "task-succeeded",
            ]
            assert {one["name"] for one in (received, started, succeeded)} == {TASK}
            assert received["timestamp"] <= started["timestamp"] <= succeeded["timestamp"]
            assert succeeded["runtime"] >= 0
        bench.until(lambda: any(one["type"] == "worker-heartbeat" for one in list(heard)))
    assert "canary" not in repr(heard)


def test_events_build_the_state_that_flower_shows(bench: NoopBench) -> None:
    state = bench.app.events.State()
    with events_of(bench) as heard:
        ids = [bench.submit(f"state {n}") for n in range(5)]
        bench.ended(ids)
        bench.until(
            lambda: sum(event["type"] == "task-succeeded" for event in list(heard)) >= len(ids)
        )
    for event in heard:
        state.event(event)
    for job_id in ids:
        task = state.tasks[job_id]
        assert (task.name, task.state, task.worker.hostname) == (
            TASK,
            "SUCCESS",
            bench.worker.node,
        )


def test_shutdown_drains_and_ends_the_process(
    redis_url: str, settings: Settings, tmp_path: Path
) -> None:
    live = settings.model_copy(
        update={"redis_url": redis_url, "token_budget": 8, "lease_seconds": 600.0}
    )
    with noop_bench(live, tmp_path / "worker.log") as bench:
        with bench.held_up():
            ids = [bench.submit(f"text {n}") for n in range(40)]
            bench.until(lambda: len(ask(bench, "active")) >= 1)
            bench.app.control.shutdown(destination=[bench.worker.node])
            bench.until(lambda: "draining" in bench.worker.log.read_text())
        assert bench.worker.process.wait(60) == 0
        states = [job.state for job in bench.jobs(ids)]
        assert set(states) <= {JobState.SUCCEEDED, JobState.QUEUED}
        assert JobState.SUCCEEDED in states
        assert JobState.QUEUED in states
        assert bench.store.leases.alive() == []
