"""A TCP proxy whose links can die without anyone being told."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from lepton_tasks.launcher.ports import LOOPBACK


class Proxy:
    """Forwards to a port; :meth:`freeze` makes the links that exist half-open, not new ones."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._frozen: set[socket.socket] = set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])

    def freeze(self) -> None:
        """Forward nothing more on the links of now; both ends see them open."""
        self._frozen.update(self._sockets)

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
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source in self._frozen:
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
