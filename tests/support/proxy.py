"""A TCP proxy whose links can die without anyone being told."""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from lepton_tasks.launcher.ports import LOOPBACK


class Mode(enum.Enum):
    """What becomes of bytes, on the links of now and on new ones."""

    PASS = "pass"
    DROP = "drop"
    """They vanish, both ways; both ends see the link open, and new links open too."""
    RESET = "reset"
    """The links of now are reset, and new ones as soon as they are made."""
    DELAY = "delay"
    """They arrive, each piece :attr:`Proxy.delay_seconds` late."""


class Proxy:
    """Forwards to a port, as its :attr:`mode` says; :meth:`switch` changes it at once.

    :meth:`freeze` makes the links that exist half-open, not new ones; :meth:`hold` keeps
    what the server says until :meth:`release`, which sends it all in one piece.
    """

    def __init__(self, target_port: int, port: int = 0) -> None:
        """Listen on ``port``, any free one where it is 0."""
        self._target_port = target_port
        self._frozen: set[socket.socket] = set()
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self.mode = Mode.PASS
        self.delay_seconds = 0.0
        self._moved = threading.Event()
        self._listener = socket.create_server((LOOPBACK, port))
        self.port = int(self._listener.getsockname()[1])

    def url(self, url: str) -> str:
        """The URL of the target, as it is reached through here."""
        return url.replace(f":{self._target_port}", f":{self.port}")

    def switch(self, mode: Mode, delay_seconds: float = 0.0) -> None:
        """Treat bytes in another way. What was dropped stays lost: those links stay frozen."""
        if mode is Mode.DROP:
            self.freeze()
        self.mode, self.delay_seconds = mode, delay_seconds
        moved, self._moved = self._moved, threading.Event()
        moved.set()
        if mode is Mode.RESET:
            for one in list(self._sockets):
                _reset(one)

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
        self._moved.set()
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((LOOPBACK, self._target_port))
            except OSError:  # nobody listens there: nor here, as far as a client sees
                _reset(near)
                continue
            self._sockets += [near, far]
            if self.mode is Mode.DROP:
                self._frozen.update((near, far))
            if self.mode is Mode.RESET:
                _reset(near)
                _reset(far)
                continue
            for source, sink in ((near, far), (far, near)):
                link = (source, sink, source is far)
                threading.Thread(target=self._pump, args=link, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source in self._frozen:
                    return
                if self.mode is Mode.DELAY:
                    self._moved.wait(self.delay_seconds)
                if replies and not self._flowing.is_set():
                    self._flowing.wait()
                    data += _waiting(source)
                sink.sendall(data)
            if source not in self._frozen:
                sink.shutdown(socket.SHUT_WR)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
    one.close()


def _waiting(source: socket.socket, peek: bool = False) -> bytes:
    flags = socket.MSG_DONTWAIT | (socket.MSG_PEEK if peek else 0)
    with contextlib.suppress(BlockingIOError):
        return source.recv(65536, flags)
    return b""
