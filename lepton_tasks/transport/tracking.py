"""The lengths of lists, and news of a change: what a consumer waits for instead of popping.

kombu waits in a BRPOP, which pops a message before anyone has registered it: a
consumer that dies then, or a link that is dead, loses it. Here a connection asks for
the length of every list under ``CLIENT TRACKING``: where all are empty, Redis itself
tells this connection when one of them changes (RESP3, since Redis 6.0), whoever pushed.

The alternatives were worse: BLMOVE waits on one list only, keyspace notifications need
the server's configuration changed, and BRPOP followed by a script measured no faster
and keeps the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from lepton_tasks.errors import BrokerUnavailable


class TrackedLengths:
    """One question after another, on a RESP3 connection that is given with each call."""

    def __init__(self) -> None:
        self._unread = 0
        self._changed = False

    def is_asked(self) -> bool:
        """Whether the answer to a question was not read yet."""
        return self._unread > 0

    def ask(self, connection: Any, lists: Sequence[str]) -> None:
        """Ask for the lengths of ``lists``; returns at once."""
        self._changed = False
        connection._parser.set_invalidation_push_handler(self._on_invalidation)
        commands = [("CLIENT", "TRACKING", "ON"), *(("LLEN", key) for key in lists)]
        # No PING first: its reply would be awaited here, on a link that may be dead.
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        self._unread = len(commands)

    def read(self, connection: Any) -> list[int] | None:
        """Read what has come: the lengths where they were asked for, else news of a change.

        Raises:
            BrokerUnavailable: Redis does not allow the question.
            redis.RedisError, OSError: the connection is gone.
        """
        if not self._unread:
            connection.read_response(push_request=True)
            self._read_more_news(connection)
            return None
        replies: list[Any] = []
        for _ in range(self._unread):
            try:
                replies.append(connection.read_response())
            except redis.ResponseError as error:
                replies.append(error)
        self._unread = 0
        tracking, *lengths = replies
        if isinstance(tracking, redis.ResponseError):
            raise BrokerUnavailable(
                f"Redis refuses CLIENT TRACKING: {tracking}. Use Redis 6.2 or newer, and allow "
                "its user the command (ACL: +client|tracking)"
            )
        # A key that is no list is left alone, as the script does.
        lengths = [0 if isinstance(length, redis.ResponseError) else length for length in lengths]
        if not any(lengths):
            # The poller does not see what was received with the lengths.
            self._read_more_news(connection)
        return lengths

    def has_news(self) -> bool:
        """Whether a list has changed since the lengths were asked for."""
        return self._changed

    def _on_invalidation(self, _: Any) -> None:
        self._changed = True

    def _read_more_news(self, connection: Any) -> None:
        while connection.can_read(timeout=0):
            connection.read_response(push_request=True)
