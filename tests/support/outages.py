"""Ways in which a Redis can be away, each with its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import redis

from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.support.proxy import Mode, Proxy


@dataclass(frozen=True, slots=True)
class Behind:
    """A Redis of its own and the proxy through which it is reached."""

    server: EmbeddedRedis
    proxy: Proxy

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self.proxy.url(self.server.url)

    def client(self) -> redis.Redis:
        """A client that does not pass the proxy."""
        return redis.Redis.from_url(self.server.url)


@contextmanager
def down(behind: Behind) -> Iterator[None]:
    """It is gone, and comes back empty."""
    behind.server.stop()
    try:
        yield
    finally:
        behind.server.start()


@contextmanager
def paused(behind: Behind) -> Iterator[None]:
    """It takes connections and answers nothing, until it answers all that was asked."""
    with behind.client() as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def half_open(behind: Behind) -> Iterator[None]:
    """Nothing gets through to it, and nobody is told."""
    behind.proxy.switch(Mode.DROP)
    try:
        yield
    finally:
        behind.proxy.switch(Mode.PASS)


@contextmanager
def refusing(behind: Behind) -> Iterator[None]:
    """Its password is another now."""
    with behind.client() as client:
        password = client.config_get("requirepass")["requirepass"]
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)
        try:
            yield
        finally:
            client.config_set("requirepass", password)


@contextmanager
def read_only(behind: Behind) -> Iterator[None]:
    """It is a replica of a master that is gone, and takes no writes."""
    with behind.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("no", "one")


OUTAGES: Final[dict[str, Callable[[Behind], AbstractContextManager[None]]]] = {
    "down": down,
    "paused": paused,
    "half-open": half_open,
    "refusing": refusing,
    "read-only": read_only,
}
