"""Wake-ups reach a waiter, and a Redis that is away makes nobody fail."""

from __future__ import annotations

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import Waiter, announce
from lepton_tasks.launcher.ports import free_port


def test_ids_arrive(redis_url: str) -> None:
    client = connect(redis_url, 5.0)
    waiter = Waiter(client)
    waiter.wait(0.1)  # subscribes
    announce(client, ["job_1", "job_2"])
    heard: frozenset[str] = frozenset()
    for _ in range(50):
        heard = heard or waiter.wait(0.1)
    assert heard == {"job_1", "job_2"}
    waiter.close()


def test_no_redis_is_no_error() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0", 0.2)
    announce(client, ["job_1"], deliveries=True)
    assert Waiter(client).wait(0.05) == frozenset()
