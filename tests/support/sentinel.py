"""A real Redis with replicas, watched by real sentinels that fail over within about a second."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.embedded.redis_binary import find_redis_server
from lepton_tasks.launcher.ports import LOOPBACK, free_port

START_SECONDS = 30.0


class Sentinel:
    """Processes of one group, killed when the block that uses it ends."""

    master_name = "lepton-test"

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 0,
        sentinels: int = 1,
        password: str = "",
        sentinel_password: str = "",
        announce: Callable[[int], int] = lambda port: port,
    ) -> None:
        """Start the group. ``announce`` maps a port to the one that clients shall use."""
        self._folder = folder
        self._binary = str(find_redis_server())
        self._password = password
        self._sentinel_password = sentinel_password
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.master_port = self._server()
        announced = announce(self.master_port)
        self.replica_ports = [self._server(announced) for _ in range(replicas)]
        self._wait(self._attached)  # sentinels look for replicas at once, then every ten seconds
        quorum = str(sentinels // 2 + 1)
        self.ports = [self._sentinel(announced, quorum) for _ in range(sentinels)]
        self._wait(lambda: self._joined(replicas, sentinels - 1))
        self.announced_ports = [announce(port) for port in self.ports]

    @property
    def url(self) -> str:
        """URL as kombu takes it, the master's name left out."""
        login = f":{self._password}@" if self._password else ""
        return ";".join(f"sentinel://{login}{LOOPBACK}:{port}/0" for port in self.announced_ports)

    @property
    def full_url(self) -> str:
        """URL with all that is needed."""
        own = f"&sentinel_password={self._sentinel_password}" if self._sentinel_password else ""
        return f"{self.url}?master_name={self.master_name}{own}"

    def server(self, port: int) -> redis.Redis:
        """A client of one server, not by way of the sentinels."""
        return _client(port, self._password)

    def replicated(self) -> None:
        """Wait until the replicas have all that the master has."""
        with self.server(self.master_port) as master:
            assert master.wait(len(self.replica_ports), 20_000) == len(self.replica_ports)

    def kill_master(self) -> None:
        """SIGKILL the first master."""
        self._processes[self.master_port].kill()
        self._processes[self.master_port].wait()

    def master_now(self) -> int | None:
        """Port of the master by the first sentinel's word."""
        with _client(self.ports[0], self._sentinel_password) as client:
            address: Any = client.sentinel_get_master_addr_by_name(self.master_name)
        return None if address is None else int(address[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def _server(self, master_port: int | None = None) -> int:
        options = {"save": "", "repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}
        if self._password:
            options |= {"requirepass": self._password, "masterauth": self._password}
        if master_port is not None:
            options["replicaof"] = f"{LOOPBACK} {master_port}"
        return self._start(options)

    def _sentinel(self, master_port: int, quorum: str) -> int:
        name = self.master_name
        lines = [
            f"sentinel monitor {name} {LOOPBACK} {master_port} {quorum}",
            f"sentinel down-after-milliseconds {name} 1000",
            f"sentinel failover-timeout {name} 3000",
        ]
        if self._password:
            lines.append(f"sentinel auth-pass {name} {self._password}")
        if self._sentinel_password:
            lines.append(f"requirepass {self._sentinel_password}")
            lines.append(f"sentinel sentinel-pass {self._sentinel_password}")
        return self._start({}, lines)

    def _start(self, options: dict[str, str], sentinel: list[str] | None = None) -> int:
        port = free_port()
        folder = self._folder / str(port)
        folder.mkdir()
        options |= {"port": str(port), "bind": LOOPBACK, "dir": str(folder)}
        lines = [f"{name} {value or chr(34) * 2}" for name, value in options.items()]
        config = folder / "redis.conf"
        config.write_text("\n".join([*lines, *(sentinel or ()), ""]))
        self._processes[port] = subprocess.Popen(
            [self._binary, str(config), *(["--sentinel"] if sentinel else [])],
            stdout=subprocess.DEVNULL,
        )
        self._wait(lambda: self._answers(port))
        return port

    def _answers(self, port: int) -> bool:
        with _client(port) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True

    def _attached(self) -> bool:
        with self.server(self.master_port) as master:
            state: Any = master.info("replication")
        replicas = [state[f"slave{number}"] for number in range(state["connected_slaves"])]
        online = [replica for replica in replicas if replica["state"] == "online"]
        return len(online) == len(self.replica_ports)

    def _joined(self, replicas: int, others: int) -> bool:
        """Every sentinel knows every server and every other sentinel."""
        for port in self.ports:
            with _client(port, self._sentinel_password) as client:
                masters: Any = client.sentinel_masters()
            state = masters[self.master_name]
            if (state["num-slaves"], state["num-other-sentinels"]) != (replicas, others):
                return False
            if state["flags"] != "master":
                return False
        return True

    def _wait(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if true():
                    return
            except redis.ConnectionError:
                pass
            assert time.monotonic() < end, "the group did not start"
            time.sleep(0.05)


def _client(port: int, password: str = "") -> redis.Redis:
    return redis.Redis(
        host=LOOPBACK, port=port, password=password or None, retry=Retry(NoBackoff(), 0)
    )
