from __future__ import annotations

import time

import pytest
import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.errors import BrokerUnavailable, NotFound
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.transport.quarantine import Quarantine
from tests.support.consuming import bulk, receiving

BAD = ["坏\n消息".encode(), b"\xff\x00\n{}", b"third"]


@pytest.mark.parametrize("prefix", ["", "team-a:"])
def test_messages_are_listed_shown_and_requeued(
    redis_url: str, client: redis.Redis, prefix: str
) -> None:
    client.lpush(f"{prefix}q", *BAD)
    with (
        bulk(redis_url, global_keyprefix=prefix) as connection,
        receiving(connection, "q") as received,
    ):
        received.once()
    quarantine = Quarantine(client, prefix)
    kept = list(quarantine.messages())
    assert [message.raw for message in kept] == list(reversed(BAD))
    assert all(abs(message.at - time.time()) < 60 for message in kept)
    assert len({message.id for message in kept}) == 3
    assert quarantine.get(kept[1].id) == kept[1]

    assert quarantine.requeue(kept[1].id) == kept[1]
    assert client.lrange(f"{prefix}q", 0, -1) == [BAD[1]]
    with pytest.raises(NotFound):
        quarantine.requeue(kept[1].id)
    assert client.llen(f"{prefix}q") == 1


def test_many_are_read_in_pages(redis_url: str, client: redis.Redis) -> None:
    client.lpush("q", *(f"bad {n}" for n in range(250)))
    with bulk(redis_url, fetch_limit=250) as connection, receiving(connection, "q") as received:
        received.once()
    assert len(list(Quarantine(client).messages())) == 250
    with pytest.raises(NotFound, match="lepton quarantine list"):
        Quarantine(client).get("none")


def test_a_redis_that_is_away_is_an_error_of_ours() -> None:
    quarantine = Quarantine(connect(f"redis://127.0.0.1:{free_port()}", 1.0))
    with pytest.raises(BrokerUnavailable):
        list(quarantine.messages())
