"""Messages that could not be delivered, kept with the reason until an operator looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
import redis

from lepton_tasks.errors import BrokerUnavailable, NotFound
from lepton_tasks.transport.scripts import REQUEUE

QUARANTINE_KEY: Final = "lepton:quarantine"
QUARANTINE_LIMIT: Final = 10_000
"""Messages kept at most; beyond it the oldest go."""

_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message set aside: when in Unix seconds, from which queue, why, and its bytes."""

    id: str
    at: float
    queue: str
    reason: str
    raw: bytes


class Quarantine:
    """The quarantine of one Redis database, for operators.

    Every method raises BrokerUnavailable where Redis does not answer.
    """

    def __init__(self, client: redis.Redis, keyprefix: str = "") -> None:
        """Use ``client``; ``keyprefix`` is the transport's ``global_keyprefix``."""
        self._client = client
        self._keyprefix = keyprefix
        self._key = keyprefix + QUARANTINE_KEY

    def messages(self) -> Iterator[Quarantined]:
        """All quarantined messages, newest first, read in pages."""
        for _, message in self._elements():
            yield message

    def get(self, message_id: str) -> Quarantined:
        """One message.

        Raises:
            NotFound: there is none of that id.
        """
        return self._find(message_id)[1]

    def requeue(self, message_id: str) -> Quarantined:
        """Put a message back at the end of its queue, as it was, and return it.

        Raises:
            NotFound: there is none of that id, or someone was quicker.
        """
        element, message = self._find(message_id)
        if not self._ask(
            self._client.register_script(REQUEUE),
            keys=[self._key, self._keyprefix + message.queue],
            args=[element, message.raw],
        ):
            raise _not_found(message_id)
        return message

    def _find(self, message_id: str) -> tuple[bytes, Quarantined]:
        for element, message in self._elements():
            if message.id == message_id:
                return element, message
        raise _not_found(message_id)

    def _elements(self) -> Iterator[tuple[bytes, Quarantined]]:
        start = 0
        while page := self._ask(self._client.lrange, self._key, start, start + _PAGE - 1):
            for element in page:
                line, _, raw = element.partition(b"\n")
                yield element, Quarantined(**orjson.loads(line), raw=raw)
            start += _PAGE

    def _ask(self, command: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {error}") from error


def _not_found(message_id: str) -> NotFound:
    return NotFound(f"no quarantined message {message_id}; see `lepton quarantine list`")
