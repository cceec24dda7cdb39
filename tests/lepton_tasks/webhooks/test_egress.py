"""Connections that are kept, dropped, renewed; TLS; answers that no HTTP server would give."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lepton_tasks.webhooks import client as client_module
from lepton_tasks.webhooks.client import Answer, WebhookClient
from lepton_tasks.webhooks.guard import EgressGuard
from tests.support.certificates import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b'{"text":"hello"}'

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Seen:
    """What a server of these tests has counted."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0

    async def request(self, reader: asyncio.StreamReader) -> bool:
        """Read one request; False when the client has closed."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        self.requests += 1
        return True


@asynccontextmanager
async def serving(
    serve: Serve, seen: Seen, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def talk(
    serve: Serve,
    seen: Seen,
    times: int = 1,
    *,
    deadline: float = 20.0,
    most_idle: int = 8,
    together: bool = False,
) -> list[Answer]:
    """Post some times to a server, one after the other or all at once."""

    async def run() -> list[Answer]:
        async with (
            serving(serve, seen) as port,
            WebhookClient(EgressGuard(allow_private=True), deadline, most_idle) as client,
        ):
            url = f"http://127.0.0.1:{port}/"
            if together:
                return await asyncio.gather(*(client.post(url, {}, BODY) for _ in range(times)))
            return [await client.post(url, {}, BODY) for _ in range(times)]

    return asyncio.run(run())


def test_a_connection_that_was_closed_while_idle_is_no_failed_attempt() -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(OK)
        await seen.request(reader)  # taken, and not answered

    assert talk(serve, seen, 3) == [Answer(200, None)] * 3
    assert (seen.connections, seen.requests) == (3, 5)


def test_an_answer_that_breaks_off_is_not_sent_for_again() -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (OK, OK[:-1]):
            await seen.request(reader)
            writer.write(answer)

    broken = Answer(None, "the answer is not HTTP, or ended early")
    assert talk(serve, seen, 2) == [Answer(200, None), broken]
    assert (seen.connections, seen.requests) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        OK + b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["says close", "HTTP/1.0", "more than was asked for"],
)
def test_a_connection_that_cannot_be_trusted_is_not_kept(answer: bytes) -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await seen.request(reader):
            writer.write(answer)

    answers = talk(serve, seen, 3)
    assert [answer.status for answer in answers] == [200] * 3
    assert [answer.body for answer in answers] == [b"ok"] * 3
    assert seen.connections == 3


@pytest.mark.parametrize(
    ("connections", "idle_seconds", "made"), [(8, 3600.0, 4), (4, 3600.0, 12), (8, 0.001, 12)]
)
def test_no_more_are_kept_than_is_said_and_none_for_too_long(
    monkeypatch: pytest.MonkeyPatch, connections: int, idle_seconds: float, made: int
) -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await seen.request(reader):
            writer.write(OK)

    async def run() -> int:
        async with (
            serving(serve, seen) as port,
            WebhookClient(EgressGuard(allow_private=True), 20.0, connections) as client,
        ):
            url = f"http://127.0.0.1:{port}/"
            for _ in range(3):
                await asyncio.gather(*(client.post(url, {}, BODY) for _ in range(4)))
                await asyncio.sleep(0.05)
        return seen.connections

    monkeypatch.setattr(client_module, "IDLE_SECONDS", idle_seconds)
    assert asyncio.run(run()) == made


@pytest.mark.parametrize(
    ("begin", "repeat"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
        (b"", b"\x00" * 100),
    ],
    ids=["headers", "one header", "trailers", "zeros"],
)
def test_an_answer_that_never_gets_to_its_point_is_given_up(begin: bytes, repeat: bytes) -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(begin)
        while not writer.is_closing():
            writer.write(repeat * 100)
            await writer.drain()

    [answer] = talk(serve, seen)
    assert answer == Answer(None, "the answer is not HTTP, or ended early")


@pytest.mark.parametrize(
    ("begin", "repeat"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 100),
    ],
    ids=["provisional answers", "chunk extension"],
)
def test_a_flood_of_nothing_ends_with_the_deadline(begin: bytes, repeat: bytes) -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(begin)
        while not writer.is_closing():
            writer.write(repeat)
            await asyncio.sleep(0.01)

    assert talk(serve, seen, deadline=0.3) == [Answer(None, "no complete answer within 0.3 s")]


def test_a_provisional_answer_is_passed_over() -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)

    assert talk(serve, seen) == [Answer(200, None)]


def test_many_at_once_get_a_connection_each() -> None:
    seen = Seen()
    all_here = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        if seen.requests == 50:
            all_here.set()
        await all_here.wait()
        writer.write(OK)

    assert talk(serve, seen, 50, together=True) == [Answer(200, None)] * 50
    assert seen.connections == 50


def test_tls_is_checked_against_the_hosts_name_not_the_address(authority: Authority) -> None:
    server = authority.server("127.0.0.1")
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await seen.request(reader):
            writer.write(OK)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def run() -> list[Answer]:
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        guard = EgressGuard(allow_private=True, resolve=resolve)
        async with (
            serving(serve, seen, server) as port,
            WebhookClient(guard, 20.0, 4, trusting) as client,
            WebhookClient(guard, 20.0, 4) as stranger,
        ):
            return [
                await client.post(f"https://127.0.0.1:{port}/", {}, BODY),
                await client.post(f"https://Hooks.example.test.:{port}/", {}, BODY),
                await stranger.post(f"https://127.0.0.1:{port}/", {}, BODY),
            ]

    accepted, misnamed, unknown = asyncio.run(run())
    assert accepted == Answer(200, None)
    assert misnamed.error is not None
    assert "no connection: the certificate is not accepted: Hostname mismatch" in misnamed.error
    assert unknown.error == (
        "no connection: the certificate is not accepted: unable to get local issuer certificate"
    )
    assert names == [None, "hooks.example.test", None]
