"""``lepton io`` as a process of its own: ready, delivers, outlives Redis, stops."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from lepton_tasks.broker.wakeups import announce
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import eventually, owe, state_of


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def start(settings: Settings, log: Path) -> subprocess.Popen[str]:
    with log.open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "lepton_tasks", "io"],
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def test_it_delivers_through_an_outage_of_redis_and_stops_on_sigterm(
    store: Store, database_url: str, server: EmbeddedRedis, receiver: Receiver, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path / "home",
        database_url=database_url,
        redis_url=server.url,
        webhook_allow_private=True,
    )
    log = tmp_path / "io.log"
    with start(settings, log) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "io worker ready\n", log.read_text()
            first = owe(store, receiver.url("/first"))
            with redis.Redis.from_url(server.url) as client:
                announce(client, [], deliveries=True)
            eventually(lambda: state_of(store, first) == "delivered")
            hanging = owe(store, receiver.url("/hang"))
            eventually(lambda: len(receiver.at("/hang")) == 1)
            server.stop()
            second = owe(store, receiver.url("/second"))
            eventually(lambda: state_of(store, second) == "delivered")
            process.terminate()
            begun = time.monotonic()
            assert process.wait(30) == 0, log.read_text()
            assert time.monotonic() - begun < 15
        finally:
            process.kill()
    assert state_of(store, hanging) == "sending"  # due again when its lease has run out
    assert "Traceback" not in log.read_text()
    assert "你好" not in log.read_text()


def test_an_unusable_store_is_an_error_at_the_start(server: EmbeddedRedis, tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home",
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/none",
        redis_url=server.url,
    )
    log = tmp_path / "io.log"
    with start(settings, log) as process:
        assert process.wait(60) == 1
    assert "cannot be used" in log.read_text()
    assert "Traceback" not in log.read_text()
