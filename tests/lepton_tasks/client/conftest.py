"""A scripted server on a socket, and both clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from lepton_tasks import AsyncClient, Client
from lepton_tasks.client import retrying
from tests.support.both_clients import Awaited
from tests.support.scripted_http import ScriptedServer, scripted_server


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that answers as the test says."""
    with scripted_server() as running:
        yield running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause worth the name before a call is sent again."""
    monkeypatch.setattr(retrying, "_FIRST_PAUSE", 0.001)


@pytest.fixture(params=["blocking", "awaiting"])
def client(request: pytest.FixtureRequest, server: ScriptedServer, quick: None) -> Iterator[Any]:
    """A client of the server; the test runs once for each kind."""
    if request.param == "blocking":
        with Client(server.url, "lpt_test", timeout=20) as blocking:
            yield blocking
        return
    loop = asyncio.new_event_loop()
    with Awaited(AsyncClient(server.url, "lpt_test", timeout=20), loop) as awaited:
        yield awaited
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
