"""TLS in front of a server that has none: the port speaks it to whoever begins so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Final, Self

from lepton_tasks.launcher.ports import LOOPBACK

_CLIENT_HELLO: Final = b"\x16"
_CHUNK: Final = 65536


class TlsProxy:
    """Forwards to a port of this machine, and counts the links that came over TLS.

    What does not begin with a TLS handshake is forwarded as it is, so that a sentinel
    without TLS can watch a master at the address it gives to clients.
    """

    def __init__(self, target_port: int, context: ssl.SSLContext, plain: bool = False) -> None:
        self.encrypted = 0
        self._target_port = target_port
        self._context = context
        self._plain = plain
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._running = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._listener.close()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda loop, context: None)  # refused handshakes
        self._stop = asyncio.Event()
        accepting = self._loop.create_task(self._accept())
        self._running.set()
        await self._stop.wait()
        accepting.cancel()

    async def _accept(self) -> None:
        links: set[asyncio.Task[None]] = set()
        while True:
            near, _ = await self._loop.sock_accept(self._listener)
            link = self._loop.create_task(self._serve(near))
            links.add(link)
            link.add_done_callback(links.discard)

    async def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            encrypted = await self._first_byte(near) == _CLIENT_HELLO
            if not (encrypted or self._plain):
                near.close()
                return
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, near, ssl=self._context if encrypted else None
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
            self.encrypted += encrypted
            try:
                await self._forward(reader, writer)
            finally:
                writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        pumps = [
            self._loop.create_task(_pump(reader, far_writer)),
            self._loop.create_task(_pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.close()

    async def _first_byte(self, near: socket.socket) -> bytes:
        ready = self._loop.create_future()
        self._loop.add_reader(near, ready.set_result, None)
        try:
            await ready
        finally:
            self._loop.remove_reader(near)
        return near.recv(1, socket.MSG_PEEK)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


class TlsProxies:
    """TLS in front of many ports, each of which answers without it too."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.by_target: dict[int, TlsProxy] = {}
        self._context = context
        self._stack = contextlib.ExitStack()

    def port_of(self, target_port: int) -> int:
        """Port of the proxy in front of ``target_port``, started when first asked for."""
        if target_port not in self.by_target:
            proxy = TlsProxy(target_port, self._context, plain=True)
            self.by_target[target_port] = self._stack.enter_context(proxy)
        return self.by_target[target_port].port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
