"""What stops the embedded system from starting is said first, and nothing is left behind."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lepton_tasks.embedded import system
from lepton_tasks.embedded.system import Ports, embedded_system
from lepton_tasks.errors import BrokerUnavailable, ConfigError, LeptonError, StoreUnavailable
from lepton_tasks.launcher.errors import AlreadyRunning, PortInUse
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from lepton_tasks.launcher.runfile import claim_home, read_runfile
from lepton_tasks.nlp.registry import interactive_tasks, long_tasks
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from lepton_tasks.supervisor.leases import NodeLeases


def refusal(settings: Settings, kind: type[LeptonError], ports: Ports | None = None) -> str:
    """What is said by a system that cannot start; its home can be used afterwards."""
    with pytest.raises(kind) as caught, embedded_system(settings, lambda line: None, ports):
        raise AssertionError("it started")
    assert read_runfile(settings.home) is None
    return str(caught.value)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_told_before_anything_is_made(settings: Settings, taken: int) -> None:
    assert "set --api-port" in refusal(settings, PortInUse, Ports(api=0))
    said = refusal(settings, PortInUse, Ports(api=free_port(), flower=taken))
    assert f"port {taken}" in said and "--flower-port" in said
    assert not settings.home.exists()


@pytest.mark.parametrize("missing", ["torch", "workers", "api", "flower"])
def test_a_service_that_is_not_installed_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == missing else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    said = refusal(settings, ConfigError, Ports(api=free_port(), flower=free_port()))
    assert f"not installed here: {missing}." in said
    assert "pip install" in said
    assert not settings.home.exists()


def test_a_home_has_one_system(settings: Settings) -> None:
    with claim_home(settings.home):
        said = refusal(settings, AlreadyRunning)
    assert f"pid {os.getpid()}" in said


def test_a_redis_that_is_away_is_told_and_the_home_is_free_again(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    refusal(away, BrokerUnavailable)
    assert settings.home.stat().st_mode & 0o777 == 0o700
    with claim_home(settings.home):
        pass


def test_a_database_of_another_version_is_told(
    settings: Settings, redis_url: str, tmp_path: Path
) -> None:
    empty = f"sqlite:///{tmp_path}/empty.db"
    configured = settings.model_copy(update={"redis_url": redis_url, "database_url": empty})
    assert "lepton db upgrade" in refusal(configured, StoreUnavailable)


def test_flowers_login_is_in_flowers_environment_alone(settings: Settings) -> None:
    login = "lepton:秘密"
    store = open_store(settings)
    (settings.home / "run").mkdir()
    try:
        children = system._children(settings, NodeLeases(store), Ports(1, 2), login)
    finally:
        store.close()
    assert [child.name for child in children] == ["worker", "io", "api", "flower", "trainer"]
    with_it = [child.name for child in children if login in child.env.values()]
    assert with_it == ["flower"]
    assert not any(login in part for child in children for part in child.argv)
    for child, tasks in ((children[0], interactive_tasks()), (children[-1], long_tasks())):
        queues = child.argv[list(child.argv).index("-Q") + 1].split(",")
        assert {queue.rpartition(".")[0] for queue in queues} == set(tasks)


def test_services_without_a_port_are_left_out(settings: Settings) -> None:
    store = open_store(settings)
    (settings.home / "run").mkdir()
    try:
        children = system._children(settings, NodeLeases(store), Ports(), "")
    finally:
        store.close()
    assert [child.name for child in children] == ["worker", "io"]


def test_an_answer_is_the_wanted_status_and_nothing_else() -> None:
    class Unauthorised(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer((LOOPBACK, 0), Unauthorised) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://{LOOPBACK}:{server.server_port}/"
        try:
            assert system._answers(url, 401)
            assert not system._answers(url, 200)
        finally:
            server.shutdown()
            thread.join()
    assert not system._answers(url, 401)
