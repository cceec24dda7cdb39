"""A private Redis server for one machine, with nothing installed by hand."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.embedded.redis_binary import find_redis_server
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.errors import ChildFailed
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from lepton_tasks.managed import Running

_PORT_TRIES = 5
_GRACE_SECONDS = 5.0


class EmbeddedRedis(Running):
    """A Redis server on a free loopback port, with a random password and no persistence.

    Nothing is lost by that: the store holds every job. It keeps its
    configuration (the password in it, readable by the owner alone) and its log
    in ``folder``. It runs between :meth:`start` and :meth:`stop`, or inside a
    ``with`` block, as a tethered child of this process, so that it dies with it
    even by SIGKILL. ``on_status`` gets one line a change of state.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binary: Path | None = None,
        ready_timeout: float = 20.0,
        on_status: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Choose the server to run, None for the one that is found; start nothing yet.

        Raises RedisNotFound when there is none.
        """
        self.port = free_port()
        self._password = secrets.token_urlsafe(32)
        self._folder = folder
        self._config = folder / "redis.conf"
        self._binary = binary or find_redis_server()
        self._ready_timeout = ready_timeout
        self._on_status = on_status
        self._launcher: Launcher | None = None

    @property
    def url(self) -> str:
        """Where the server is, password included; final once :meth:`start` returned."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises ChildFailed, with the end of its log, when it does not.
        """
        for left in reversed(range(_PORT_TRIES)):
            self._write_config()
            launcher = Launcher(
                [self._spec()], self._folder, grace=_GRACE_SECONDS, on_status=self._on_status
            )
            try:
                launcher.start()
            except ChildFailed as error:
                # Someone else was quicker to the port.
                if not left or "Address already in use" not in error.tail:
                    self._config.unlink()
                    raise
                self.port = free_port()
            else:
                self._launcher = launcher
                return

    def stop(self) -> None:
        """Stop the server and forget its configuration. Safe to call again."""
        if self._launcher is not None:
            self._launcher.stop()
            self._launcher = None
            self._config.unlink()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the server is gone for good, at most ``timeout`` seconds; say if it is.

        Raises ChildFailed when it crashed again and again.
        """
        return self._launcher is None or self._launcher.wait(timeout)

    def _spec(self) -> ChildSpec:
        return ChildSpec(
            name="redis",
            argv=[str(self._binary), str(self._config.absolute())],
            ready=self._answers,
            ready_timeout=self._ready_timeout,
        )

    def _answers(self) -> bool:
        with contextlib.closing(
            redis.Redis(
                host=LOOPBACK,
                port=self.port,
                password=self._password,
                socket_connect_timeout=1,
                socket_timeout=1,
                retry=Retry(NoBackoff(), 0),  # the launcher asks again
            )
        ) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def _write_config(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "requirepass": self._password,
            "dir": str(self._folder.absolute()),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        text = "".join(f"{key} {quoted(value)}\n" for key, value in settings.items())
        self._config.unlink(missing_ok=True)
        descriptor = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)


def quoted(value: str) -> str:
    r"""Return ``value`` as one argument of a Redis configuration line.

    >>> print(quoted('C:/my "home"'))
    "C:/my \"home\""
    >>> quoted("")
    '""'
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
