"""A real Redis Sentinel that watches one master without a password."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis

from lepton_tasks.embedded.redis_binary import find_redis_server
from lepton_tasks.launcher.ports import LOOPBACK, free_port

START_SECONDS = 20.0


class Sentinel:
    """A master and a sentinel, both killed by :meth:`stop`."""

    master_name = "lepton-test"

    def __init__(self, folder: Path) -> None:
        self.master_port, self.port = free_port(), free_port()
        self.url = f"sentinel://{LOOPBACK}:{self.port}"
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind {LOOPBACK}\ndir {folder}\n"
            f"sentinel monitor {self.master_name} {LOOPBACK} {self.master_port} 1\n"
        )
        binary = str(find_redis_server())
        master = [binary, "--port", str(self.master_port), "--bind", LOOPBACK, "--save", ""]
        self._processes = [
            subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
            for command in (master, [binary, str(config), "--sentinel"])
        ]
        for port in (self.master_port, self.port):
            self._wait(port)

    def stop(self) -> None:
        """Kill both."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _wait(self, port: int) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                with redis.Redis(host=LOOPBACK, port=port) as client:
                    client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
