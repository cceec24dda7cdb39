"""All parts of a running system on a Redis that speaks nothing but TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from celery.result import AsyncResult
from typer.testing import CliRunner

from lepton_tasks.cli.quarantine import app as quarantine
from lepton_tasks.states import JobState
from tests.support.noop import NoopBench


def test_jobs_are_done_and_waited_for(bench: NoopBench) -> None:
    ids = [bench.submit(f"第{n}个 text") for n in range(200)]
    assert {job.state for job in bench.ended(ids)} == {JobState.SUCCEEDED}
    assert AsyncResult(bench.submit("四个汉字"), app=bench.app).get(timeout=60) == {"characters": 4}


def test_plain_celery_messages_and_remote_control_get_through(bench: NoopBench) -> None:
    sent = bench.app.send_task("lepton.noop", args=["three"], queue="noop.high")
    assert AsyncResult(sent.id, app=bench.app).get(timeout=60) == {"characters": 5}
    replies = bench.app.control.inspect(timeout=10, limit=1).ping()
    assert list(replies) == [bench.worker.node]


def test_the_quarantine_is_read(bench: NoopBench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bench.settings.environment().items():
        monkeypatch.setenv(name, value)
    bench.producer._redis.lpush("noop.normal", "no message")

    def listed() -> bool:
        return "not JSON" in CliRunner().invoke(quarantine, ["list"]).stdout

    bench.until(listed)


def test_nothing_in_the_system_would_speak_without_tls(bench: NoopBench, tmp_path: Path) -> None:
    without_tls = bench.settings.redis_url.partition("?")[0].replace("rediss://", "redis://")
    with redis.Redis.from_url(without_tls) as client, pytest.raises(redis.ConnectionError):
        client.ping()
