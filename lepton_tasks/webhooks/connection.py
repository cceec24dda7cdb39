"""One HTTP/1.1 connection: a request goes out, as much of the answer as wanted comes back.

h11 reads and writes the protocol. Answers are taken apart as their bytes arrive, so
nothing of them is buffered beyond what is kept, and a long one is ended by closing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import h11

from lepton_tasks.webhooks.target import Target

MAX_ANSWER_BYTES: Final = 20 * 1024
"""Bytes of an answer's body that are kept; a longer one is cut off by closing."""

Headers = list[tuple[bytes, bytes]]


class BrokenConnection(Exception):
    """The connection ended before the answer had. ``unheard``: not a byte of it had come."""

    def __init__(self, unheard: bool) -> None:
        super().__init__("the connection broke")
        self.unheard = unheard


class BadAnswer(Exception):
    """What came back is not HTTP, or ended early."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: header names in lower case, at most 20 kB of body."""

    status: int
    headers: Headers
    body: bytes


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time. Made by ``loop.create_connection``."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._unheard = True

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        transport = self._transport
        return (
            transport is not None
            and not transport.is_closing()
            and self._waiter is None
            and self._http.our_state is h11.IDLE
        )

    async def post(self, target: Target, headers: Headers, body: bytes) -> Reply:
        """Send a request and wait for the answer. After an error the connection is closed.

        Raises:
            BrokenConnection, BadAnswer: there is no whole answer.
            h11.LocalProtocolError: a header or the path cannot be sent.
        """
        assert self._transport is not None  # noqa: S101 - made before anyone can call
        head = h11.Request(method=b"POST", target=target.path.encode(), headers=headers)
        sent = [self._http.send(head), self._http.send(h11.Data(data=body))]
        self._http.send(h11.EndOfMessage())
        self._response, self._body, self._unheard = None, bytearray(), True
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(part for part in sent if part))
        try:
            return await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None

    def abort(self) -> None:
        """Close at once, whatever is on the way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of create_connection
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._waiter is None:
            self.abort()  # nobody asked: what came would be taken for the next answer
            return
        self._unheard = False
        self._take(data)

    def eof_received(self) -> None:
        """Called by the loop; the transport closes itself after."""
        if self._waiter is not None and not self._unheard:
            self._take(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self._fail(BrokenConnection(self._unheard))

    def _take(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            while self._waiter is not None and not self._waiter.done():
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    self._response = event
                elif isinstance(event, h11.Data):
                    self._keep(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._finish(reusable=True)
                elif not isinstance(event, h11.InformationalResponse):
                    return  # more has to come, or nothing can
        except h11.RemoteProtocolError:
            self._fail(BadAnswer("the answer is not HTTP, or ended early"))

    def _keep(self, data: bytes | bytearray) -> None:
        room = MAX_ANSWER_BYTES - len(self._body)
        self._body += data[:room]
        if len(data) > room:
            self._finish(reusable=False)

    def _finish(self, reusable: bool) -> None:
        assert self._waiter is not None and self._response is not None  # noqa: S101
        self._waiter.set_result(
            Reply(self._response.status_code, list(self._response.headers), bytes(self._body))
        )
        try:
            if not reusable:
                self.abort()
            else:
                self._http.start_next_cycle()
        except h11.LocalProtocolError:
            self.abort()  # the receiver wants it closed

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
