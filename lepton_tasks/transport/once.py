"""kombu's Redis transports for sending alone, which put a task's message on its queue once.

Who sends what is owed may die between sending and noting that it has sent. Ids do not change
from one sending to the next, so the script that pushes a message also leaves a mark of its id,
and pushes nothing where the mark is there.
"""

from __future__ import annotations

from typing import Any, Final

from kombu.transport.redis import Channel, SentinelChannel, SentinelTransport, Transport
from kombu.utils.json import dumps

MARK_KEY: Final = "lepton:sent:"
"""Prefix of the keys that say which tasks were sent."""
MARK_SECONDS: Final = 600
"""How long a mark stays: far longer than whoever died leaves others waiting."""
_SEND: Final = """
if redis.call('exists', KEYS[2]) == 0 then
  redis.call('lpush', KEYS[1], ARGV[1])
  redis.call('set', KEYS[2], '', 'EX', ARGV[2])
end
"""  # in this order, for nothing is taken back where a command fails

_Base: Any = object  # what it is mixed into has no types


class _Once(_Base):  # type: ignore[misc]
    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        task_id = (message.get("headers") or {}).get("id")
        if not isinstance(task_id, str):
            super()._put(queue, message, **kwargs)
            return
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        with self.conn_or_acquire() as client:
            client.eval(_SEND, 2, key, MARK_KEY + task_id, dumps(message), MARK_SECONDS)


class OnceChannel(_Once, Channel):  # type: ignore[misc]
    """A channel to one Redis server."""


class OnceSentinelChannel(_Once, SentinelChannel):  # type: ignore[misc]
    """A channel to the master that Sentinel names."""


class OnceTransport(Transport):  # type: ignore[misc]
    """One Redis server."""

    Channel = OnceChannel


class OnceSentinelTransport(SentinelTransport):  # type: ignore[misc]
    """The master that Sentinel names."""

    Channel = OnceSentinelChannel


def once_transport(url: str) -> str:
    """Name of the transport for a broker's URL, as Celery's ``broker_transport`` takes it.

    >>> once_transport("rediss://host/0")
    'lepton_tasks.transport.once:OnceTransport'
    """
    sentinel = url.startswith("sentinel")
    return f"{__name__}:{'OnceSentinelTransport' if sentinel else 'OnceTransport'}"
