"""The API as a process: its start, its refusals, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import redis
import uvicorn
from fastapi import FastAPI

from api.__main__ import ApiServer
from api.middleware import STALL_SECONDS
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from tests.support.api import error_of, finish
from tests.support.sending import eventually

ROOT = Path(__file__).parents[2]


def environment(**settings: object) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEPTON_")}
    return kept | {f"LEPTON_{name.upper()}": str(value) for name, value in settings.items()}


def start(arguments: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def serving(process: subprocess.Popen[str], port: int, key: str = "") -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=90) as client:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    assert process.poll() is None, process.communicate()[0]
                    assert time.monotonic() < end, "the API did not start"
                    time.sleep(0.05)
            yield client
        finally:
            process.kill()
            process.wait()


def refused(arguments: list[str], env: dict[str, str]) -> str:
    process = start(arguments, env)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    return output


def test_a_served_job_a_long_poll_a_large_body_and_a_graceful_end(
    tmp_path: Path, redis_url: str
) -> None:
    settings = Settings(home=tmp_path, redis_url=redis_url)
    store = open_store(settings)
    key = store.keys.create("acme", "test")
    port = free_port()
    env = environment(home=tmp_path, redis_url=redis_url, webhook_allow_private=True)
    process = start(["api", "--port", str(port)], env)
    with serving(process, port, key) as client, redis.Redis.from_url(redis_url) as broker:
        body = {"task": "moderation", "input": "秘密 canary"}
        done = client.post("/v1/jobs", json=body).json()["id"]
        worker = threading.Timer(0.5, finish, [store, broker, done])
        worker.start()
        seen = client.get(f"/v1/jobs/{done}", params={"wait": 60}).json()
        worker.join()
        assert (seen["state"], seen["output"]) == ("succeeded", {"characters": 9})

        large = client.post("/v1/jobs", json={"task": "moderation", "input": "x" * 10_000_000})
        assert error_of(large, 413)["code"] == "request_too_large"
        pieces = (b"x" * 100_000 for _ in range(100))
        assert client.post("/v1/jobs", content=pieces).status_code == 413

        waiting = client.post("/v1/jobs", json=body).json()["id"]
        answers: list[httpx.Response] = []

        def poll() -> None:
            answers.append(client.get(f"/v1/jobs/{waiting}", params={"wait": 60}))

        poller = threading.Thread(target=poll)
        poller.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        poller.join()
        assert [answer.json()["state"] for answer in answers] == ["queued"]
        assert process.returncode == 0
        assert "canary" not in output
        assert "Traceback" not in output
        assert key not in output
        assert "POST /v1/jobs 202" in output
    store.close()


def test_the_factory_serves_without_uvicorns_access_log(tmp_path: Path, redis_url: str) -> None:
    port = free_port()
    arguments = ["uvicorn", "--factory", "api.main:app", "--port", str(port)]
    process = start(arguments, environment(home=tmp_path, redis_url=redis_url))
    with serving(process, port) as client:
        assert client.get("/readyz?text=canary").json()["status"] == "ready"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output
    assert "GET /readyz 200" in output
    assert "canary" not in output


def test_an_occupied_port_is_named(tmp_path: Path, redis_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = environment(home=tmp_path, redis_url=redis_url)
        output = refused(["api", "--port", str(port)], env)
    assert f"error: port {port} on 127.0.0.1 is already in use" in output
    assert "--port" in output


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"database_url": "sqlite:////proc/none/lepton.db"}, "cannot write the database file"),
        ({"database_url": "sqlite:///{tmp}/empty.db"}, "run `lepton db upgrade`"),
        ({"database_url": "postgresql://x@127.0.0.1:1/none"}, "cannot be used"),
        ({"database_url": "mysql://x/none"}, "LEPTON_DATABASE_URL"),
        ({"lease_seconds": "long"}, "LEPTON_LEASE_SECONDS"),
        ({"redis_url": "ftp://nowhere"}, "LEPTON_REDIS_URL"),
        ({"redis_url": ""}, "LEPTON_REDIS_URL"),
    ],
)
def test_what_cannot_run_says_why(
    tmp_path: Path, redis_url: str, changed: dict[str, str], expected: str
) -> None:
    changed = {name: value.format(tmp=tmp_path) for name, value in changed.items()}
    env = environment(**({"home": tmp_path, "redis_url": redis_url} | changed))
    output = refused(["api", "--port", str(free_port())], env)
    assert "error: " in output
    assert expected in output


def test_the_factory_refuses_too(tmp_path: Path, redis_url: str) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    env = environment(home=tmp_path, redis_url=redis_url, database_url=url)
    output = refused(["uvicorn", "--factory", "api.main:app", "--port", str(free_port())], env)
    assert "error: the database has no tables yet" in output


def test_a_redis_that_evicts_is_refused(tmp_path: Path, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            env = environment(home=tmp_path, redis_url=redis_url)
            output = refused(["api", "--port", str(free_port())], env)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert "noeviction" in output


def test_a_connection_whose_client_takes_nothing_is_dropped_by_the_kernel() -> None:
    app = FastAPI()
    released = SimpleNamespace(release=lambda: None)
    app.state.services = SimpleNamespace(waiting=released, watching=released)
    server = ApiServer(uvicorn.Config(app, port=free_port(), log_config=None), app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        [listening] = server.servers[0].sockets
        eventually(lambda: option_of(listening) > 0)
        assert option_of(listening) == STALL_SECONDS * 1000
    finally:
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive()


def option_of(listening: Any) -> int:
    return int(listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
