"""A Redis that is away is asked in the background until it answers."""

from __future__ import annotations

import threading
from pathlib import Path

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.revival import Revival
from lepton_tasks.embedded.redis import EmbeddedRedis

PATIENCE = 60.0


def test_it_says_so_each_time_redis_is_back(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    back = threading.Event()
    with connect(server.url, 1.0) as client:
        revival = Revival(client, back.set, pause=0.01)
        revival.expect()
        revival.expect()
        assert not back.wait(0.2)
        with server:
            assert back.wait(PATIENCE)
            for _ in range(2):
                back.clear()
                revival.expect()
                assert back.wait(PATIENCE)
        revival.expect()
        revival.close()
        revival.expect()
