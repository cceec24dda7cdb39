"""A webhook receiver that costs next to nothing: answers 200 to every POST, or never.

Listens on all loopback addresses, so that 127.0.0.1, 127.0.0.2, … are hosts of their own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import typer

_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_LENGTH: Final = b"content-length:"


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:end].lower()
            after = head.index(_LENGTH) + len(_LENGTH)
            whole = end + 4 + int(head[after:].split(b"\r\n", 1)[0])
            if len(self._seen) < whole:
                return
            self._seen = self._seen[whole:]
            if not head.startswith(b"post /hang"):
                self._transport.write(_ANSWER)


def main(port_file: Path) -> None:
    """Listen, and write the port once it does."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(
            _Answering,
            "0.0.0.0",  # noqa: S104 - all of 127.0.0.0/8 is meant
            0,
            backlog=1024,
        )
        port_file.write_text(str(server.sockets[0].getsockname()[1]))
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    typer.run(main)
