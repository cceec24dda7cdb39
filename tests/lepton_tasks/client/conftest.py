"""A scripted server on a socket, and both clients of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
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


@pytest.fixture(scope="session")
def certificates() -> ssl.SSLContext:
    """What a client makes at its start and no test here needs: most of its time goes there."""
    return ssl.create_default_context()


@pytest.fixture(params=["blocking", "awaiting"])
def client(
    request: pytest.FixtureRequest,
    server: ScriptedServer,
    quick: None,
    certificates: ssl.SSLContext,
) -> Iterator[Any]:
    """A client of the server; the test runs once for each kind."""
    if request.param == "blocking":
        with httpx.Client(verify=certificates) as http:
            yield Client(server.url, "lpt_test", timeout=20, http_client=http)
        return
    loop = asyncio.new_event_loop()
    http_client = httpx.AsyncClient(verify=certificates)
    with Awaited(AsyncClient(server.url, "lpt_test", http_client=http_client), loop) as awaited:
        yield awaited
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(http_client.aclose())
    loop.close()
