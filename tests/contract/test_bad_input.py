"""A storm of bad messages on a live worker: it lives, good jobs are done, nothing is quoted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner, Result

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.messages import thin_message
from lepton_tasks.cli.quarantine import app as quarantine_app
from lepton_tasks.states import JobState
from lepton_tasks.transport.quarantine import QUARANTINE_KEY, Quarantine
from tests.support.bad_messages import (
    CANARY,
    broadcasts,
    fuzzed,
    quarantined,
    refused,
    unknown_jobs,
)
from tests.support.noop import NoopBench

QUEUES = ["noop.high", "noop.normal", "noop.bulk"]


@pytest.fixture
def client(bench: NoopBench) -> Iterator[redis.Redis]:
    """A client of the bench's Redis, whose quarantine is empty before and after."""
    with connect(bench.settings.redis_url, 60.0) as client:
        client.delete(QUARANTINE_KEY)
        yield client
        client.delete(QUARANTINE_KEY)


def drained(bench: NoopBench, client: redis.Redis) -> bool:
    """Whether no message waits or is being fetched."""
    return not (any(client.llen(queue) for queue in QUEUES) or client.hlen("lepton:unacked"))


def test_a_storm(
    bench: NoopBench, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "executed"
    bad = list(quarantined(marker))
    failing = dict(refused())
    good = bench.unpublished(200)
    messages = [thin_message(job_id, "noop", "normal") for job_id in [*good, *good[::20]]]
    messages += [*bad, *failing.values(), *unknown_jobs()]
    dice = random.Random(1)
    dice.shuffle(messages)
    for message in messages:
        client.lpush(dice.choice(QUEUES), message)

    assert {job.state for job in bench.ended([*good, *failing])} == {
        JobState.SUCCEEDED,
        JobState.FAILED,
    }
    assert {job.state for job in bench.jobs(good)} == {JobState.SUCCEEDED}
    assert {job.attempts for job in bench.jobs(good)} == {1}
    assert {job.state for job in bench.jobs(failing)} == {JobState.FAILED}
    bench.until(lambda: drained(bench, client))
    kept = list(Quarantine(client).messages())
    assert set(bad) - {message.raw for message in kept} == set()
    assert len(kept) == len(bad)
    assert {message.queue for message in kept} == set(QUEUES)
    assert not marker.exists()
    log = bench.worker.log.read_text()
    assert log.count("quarantined a message") >= len(bad) - 40  # scripts set some aside in silence
    for shown in (log, *(message.reason for message in kept)):
        assert "canary" not in shown
        assert "河" not in shown

    for name, value in bench.settings.environment().items():
        monkeypatch.setenv(name, value)
    listed = run("list", "--limit", "500").stdout.splitlines()
    assert len(listed) == len(bad)
    assert CANARY not in "".join(listed)
    one = kept[0]
    assert run("show", one.id).stdout.strip() in listed
    assert "requeued" in run("requeue", one.id).stderr
    bench.until(lambda: drained(bench, client) and client.llen(QUARANTINE_KEY) == len(bad))
    again = next(iter(Quarantine(client).messages()))
    assert (again.raw, again.queue, again.reason) == (one.raw, one.queue, one.reason)


def test_tasks_of_celery_itself_are_set_aside(bench: NoopBench, client: redis.Redis) -> None:
    names = {name for name in bench.app.tasks if name.startswith("celery.")}
    assert {"celery.map", "celery.chord", "celery.backend_cleanup"} <= names
    for name in names:
        bench.app.send_task(name, args=[[CANARY]], queue="noop.normal")
    bench.until(lambda: client.llen(QUARANTINE_KEY) == len(names))
    assert {message.reason for message in Quarantine(client).messages()} == {
        f"it names {name}, a task of Celery's own that a lepton worker does not run"
        for name in names
    }
    [job] = bench.ended([bench.submit("after them")])
    assert job.state is JobState.SUCCEEDED
    assert "canary" not in bench.worker.log.read_text()


def heard(client: redis.Redis, broadcast: bytes) -> bool:
    """Publish on the channel of remote control; whether anyone listens."""
    return client.publish("/7.celery.pidbox", broadcast) == 1


def test_garbage_on_the_channel_of_remote_control(
    bench: NoopBench, client: redis.Redis, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    for garbage in broadcasts(marker):
        # After an error Celery subscribes anew; what comes meanwhile nobody hears.
        bench.until(partial(heard, client, garbage))
    inspect = bench.app.control.inspect([bench.worker.node], timeout=20, limit=1)
    assert inspect.ping() == {bench.worker.node: {"ok": "pong"}}
    [job] = bench.ended([bench.submit("after it")])
    assert job.state is JobState.SUCCEEDED
    assert not marker.exists()
    assert "canary" not in bench.worker.log.read_text()


def test_thousands_of_fuzzed_messages_end_no_process(bench: NoopBench, client: redis.Redis) -> None:
    dice = random.Random(2)
    before = bench.worker.log.stat().st_size
    pid = bench.worker.process.pid
    for _ in range(10):
        with client.pipeline(transaction=False) as pipe:
            for _ in range(2_000):
                pipe.lpush(dice.choice(QUEUES), fuzzed(dice))
            pipe.execute()
        [job] = bench.ended([bench.submit("in between")])
        assert job.state is JobState.SUCCEEDED
    bench.until(lambda: drained(bench, client))
    assert (bench.worker.process.pid, bench.worker.process.poll()) == (pid, None)
    log = bench.worker.log.read_bytes()[before:]
    assert b"canary" not in log
    assert b"Traceback" not in log


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(quarantine_app, list(arguments))
    assert result.exception is None, result.exception
    return result
