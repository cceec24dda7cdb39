"""Reading queues as kombu wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import redis


def messages_of(client: redis.Redis, queue: str) -> list[dict[str, Any]]:
    """Messages of a queue, oldest first."""
    raw: Any = client.lrange(queue, 0, -1)
    return [json.loads(one) for one in reversed(raw)]


def ids_of(messages: Iterable[bytes]) -> list[str]:
    """Ids of the jobs of raw messages, in order."""
    return [json.loads(one)["headers"]["id"] for one in messages]
