from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.launcher.errors import ChildFailed
from lepton_tasks.launcher.ports import LOOPBACK

NO_RETRY = Retry(NoBackoff(), 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("home") / '我的 "home"') as running:
        yield running


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, decode_responses=True) as connected:
        yield connected


def _process_on(port: int) -> psutil.Process | None:
    for connection in psutil.net_connections("tcp4"):
        if connection.laddr and connection.laddr[1] == port and connection.status == "LISTEN":
            return psutil.Process(connection.pid)
    return None


def test_it_loses_nothing_by_eviction_and_keeps_nothing_on_disk(client: redis.Redis) -> None:
    found = {
        name: client.config_get(name)[name] for name in ("maxmemory-policy", "save", "appendonly")
    }
    assert found == {"maxmemory-policy": "noeviction", "save": "", "appendonly": "no"}


def test_it_listens_on_loopback_only_and_asks_for_the_password(server: EmbeddedRedis) -> None:
    assert server.url.endswith(f"@127.0.0.1:{server.port}/0")
    with (
        redis.Redis(host=LOOPBACK, port=server.port, retry=NO_RETRY) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    process = _process_on(server.port)
    assert process is not None
    listening = {c.laddr[0] for c in process.net_connections() if c.status == "LISTEN"}
    assert listening == {LOOPBACK}


def test_the_password_is_in_no_command_line(server: EmbeddedRedis, client: redis.Redis) -> None:
    password = client.connection_pool.connection_kwargs["password"]
    assert len(password) >= 32
    process = _process_on(server.port)
    assert process is not None
    assert password not in " ".join(process.cmdline())
    assert password not in " ".join(process.environ().values())


def test_the_configuration_is_private_and_goes_away(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    config = tmp_path / "redis.conf"
    config.write_text("left by a run that was killed")
    server.start()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    server.stop()
    server.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["redis.log"]
    assert _process_on(server.port) is None


def test_each_has_its_own_password_and_port(server: EmbeddedRedis, tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as other:
        assert other.port != server.port
        assert other.url.partition("@")[0] != server.url.partition("@")[0]


def test_a_port_taken_at_the_last_moment_is_replaced(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    with (
        socket.create_server((LOOPBACK, server.port)) as thief,
        server,
        redis.Redis.from_url(server.url) as client,
    ):
        assert client.ping()
        assert server.port != thief.getsockname()[1]


def test_a_crashed_server_comes_back_at_the_same_url(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        process = _process_on(server.port)
        assert process is not None
        process.kill()
        deadline = time.monotonic() + 30
        while True:
            with redis.Redis.from_url(server.url, retry=NO_RETRY) as client:
                try:
                    pid = client.info("server")["process_id"]
                    break
                except redis.ConnectionError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        assert pid != process.pid
        assert not server.wait(0)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text("#!/bin/sh\necho 'libssl.so.3: cannot open shared object file'\nexit 127\n")
    binary.chmod(0o755)
    with pytest.raises(ChildFailed, match=r"(?s)redis ended with exit code 127.*libssl"):
        EmbeddedRedis(tmp_path / "home", binary=binary).start()
    assert not (tmp_path / "home" / "redis.conf").exists()


def test_it_dies_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from lepton_tasks.embedded.redis import EmbeddedRedis; "
        "server = EmbeddedRedis(Path(sys.argv[1])); server.start(); "
        "print(server.port, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        process = _process_on(port)
        assert process is not None
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
