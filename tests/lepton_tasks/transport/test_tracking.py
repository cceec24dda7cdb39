"""Lengths and news of real lists."""

from __future__ import annotations

import pytest
import redis

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.errors import BrokerUnavailable
from tests.support.consuming import PATIENCE, bulk, publish, receiving, stock
from tests.support.proxy import Proxy


def test_a_user_that_may_not_track_is_told_what_to_allow(
    redis_url: str, client: redis.Redis
) -> None:
    client.acl_setuser(
        "nobody",
        enabled=True,
        nopass=True,
        keys="*",
        channels="*",
        categories=["+@all"],
        commands=["-client"],
    )
    try:
        url = redis_url.replace(redis_url.split("@")[0], "redis://nobody:x")
        with (
            bulk(url) as connection,
            receiving(connection, "q") as received,
            pytest.raises(BrokerUnavailable, match=r"\+client\|tracking"),
        ):
            received.until(lambda: False)
    finally:
        client.acl_deluser("nobody")


def test_news_that_come_together_with_the_answer_are_heard(
    redis_server: EmbeddedRedis, redis_url: str
) -> None:
    with Proxy(redis_server.port) as proxy, stock(redis_url) as sender:
        url = redis_url.replace(f":{redis_server.port}/", f":{proxy.port}/")
        with bulk(url) as connection, receiving(connection, "q") as received:
            received.once()
            received.channel.brpop_timeout = 0
            proxy.hold()
            received.once()  # asks again
            received.channel.brpop_timeout = 10 * PATIENCE
            publish(sender, "q", "你好")
            received.until(proxy.held)
            proxy.release()
            received.until_count(1)
        assert received.bodies == ["你好"]
