"""Reading queues as kombu wrote them."""

from __future__ import annotations

import json
from typing import Any

import redis


def messages_of(client: redis.Redis, queue: str) -> list[dict[str, Any]]:
    """Messages of a queue, oldest first."""
    raw: Any = client.lrange(queue, 0, -1)
    return [json.loads(one) for one in reversed(raw)]
