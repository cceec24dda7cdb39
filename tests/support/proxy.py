"""A TCP proxy whose links can die without anyone being told."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from lepton_tasks.launcher.ports import LOOPBACK


class Proxy:
    """Forwards to a port.

    :meth:`freeze` makes the links that exist half-open, not new ones; :meth:`hold` keeps
    what the server says until :meth:`release`, which sends it all in one piece.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._frozen: set[socket.socket] = set()
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])

    def freeze(self) -> None:
        """Forward nothing more on the links of now; both ends see them open."""
        self._frozen.update(self._sockets)

    def hold(self) -> None:
        """Keep what the server says from now on."""
        self._flowing.clear()

    def held(self) -> bool:
        """Whether the server has said more than the first thing that is held."""
        return any(_waiting(far, peek=True) for far in self._sockets[1::2])

    def release(self) -> None:
        """Send what was held."""
        self._flowing.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((LOOPBACK, self._target_port))
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    link = (source, sink, source is far)
                    threading.Thread(target=self._pump, args=link, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source in self._frozen:
                    return
                if replies and not self._flowing.is_set():
                    self._flowing.wait()
                    data += _waiting(source)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def _waiting(source: socket.socket, peek: bool = False) -> bytes:
    flags = socket.MSG_DONTWAIT | (socket.MSG_PEEK if peek else 0)
    with contextlib.suppress(BlockingIOError):
        return source.recv(65536, flags)
    return b""
