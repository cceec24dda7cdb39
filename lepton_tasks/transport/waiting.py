"""How a channel waits: by kombu's steps around BRPOP, without popping anything.

To wait, the connection that kombu uses for BRPOP asks for the length of every list
(``tracking.py``) and is told of changes. The lengths also give each queue its quota. The
question is repeated after ``brpop_timeout``, so that kombu's check of half-open
connections holds as well.

An idle consumer thus needs the news and one script for a message, where kombu needs
the BRPOP and a MULTI to register it; under load it is one question and one script for
up to ``fetch_limit`` messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport.redis import Channel as StockChannel

from lepton_tasks.queues import split_queue_name
from lepton_tasks.transport.tracking import TrackedLengths
from lepton_tasks.transport.watched import NO_LIMITS, Watched


class WaitingChannel(StockChannel):  # type: ignore[misc] # kombu has no types
    """A channel that waits until there is something to fetch and room for it.

    What it fetches then, and how, is :meth:`fetch_from`.
    """

    fetch_limit = 128
    """Most messages of one fetch (transport option)."""
    fetch_room: Callable[[], int] | None = None
    """How many messages the consumer has room for, asked before each fetch; None: no bound."""
    fetch_urgent_room: Callable[[], int] | None = None
    """How many of the most urgent queues it takes although there is no room; None: none."""
    fetch_allowances: Callable[[], Mapping[str, int]] | None = None
    """How many messages of tasks with a limit may be fetched now, by task; None: no limits."""

    _in_poll: Any = False
    _watched = Watched()
    _urgent = Watched()
    _asked = Watched()
    _asked_of = Watched()
    _fetched = False

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        self._lengths = TrackedLengths()
        super().__init__(connection, **kwargs)

    def fetch_from(
        self,
        watched: Watched,
        room: int,
        lengths: Sequence[int] | None,
        allowances: Mapping[str, int],
    ) -> bool:
        """Fetch and deliver up to ``room`` messages; returns whether there were any.

        ``lengths`` are those of the watched lists, None where they are not known; they
        are where a task has an allowance.
        """
        raise NotImplementedError

    def room(self) -> int:
        """How many messages may be fetched now."""
        credit = self.qos.can_consume_max_estimate()
        room = self.fetch_limit if credit is None else min(self.fetch_limit, credit)
        return room if self.fetch_room is None else min(room, self.fetch_room())

    def urgent_room(self) -> int:
        """How many messages of the most urgent queues may be fetched now."""
        if self.fetch_urgent_room is None or not self._urgent.lists:
            return 0
        credit = self.qos.can_consume_max_estimate()
        room = min(self.fetch_limit, self.fetch_urgent_room())
        return room if credit is None else min(room, credit)

    def list_key(self, queue: str, priority: int) -> str:
        """Redis key of a queue's list for a kombu priority, prefix included."""
        return f"{self.global_keyprefix}{self._q_for_pri(queue, priority)}"

    def watch(self, queues: Sequence[str]) -> Watched:
        """Return ``queues`` with their lists, most urgent first."""
        queues = sorted(queues, key=lambda queue: split_queue_name(queue)[1].rank)
        steps = self.priority_steps
        lists = [self.list_key(queue, step) for queue in queues for step in steps]
        return Watched(tuple(queues), tuple(lists), len(steps))

    def tick(self) -> None:
        """Look at the lists again where it is time; called before each wait."""
        if not self._in_poll or self._lengths.is_asked():
            return
        if not self.qos.can_consume():
            # Nothing is asked meanwhile, so no answer is overdue.
            self._brpop_sent_at = monotonic()
        elif (
            self._fetched
            or monotonic() - self._brpop_sent_at >= self.brpop_timeout
            or not self._askable().is_within(self._asked)
        ):
            # The poller asks anew. Until then the connection counts as polled even
            # where there is no room: kombu drops one that speaks unasked.
            self._in_poll = None
            self._flush_brpop_reauth()

    # What kombu calls.

    def _update_queue_cycle(self) -> None:
        super()._update_queue_cycle()
        self._watched = self.watch(self.active_queues)
        self._urgent = self._watched.urgent

    def _connparams(self, asynchronous: bool = False) -> Any:
        params = super()._connparams(asynchronous)
        if asynchronous:
            params["protocol"] = 3
        return params

    def _brpop_start(self, timeout: float | None = None) -> None:
        if not self._watched.lists:
            return
        self._asked = self._askable()
        self._asked_of = self._watched
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self._fetched = False
        self._lengths.ask(self._in_poll, self._asked.lists)

    def _brpop_read(self, **_: Any) -> bool:
        if self._closing:
            self._in_poll = None
            raise Empty
        try:
            lengths = self._lengths.read(self.client.connection)
        except self.connection_errors:
            self.client.connection.disconnect()
            raise
        if not (self._lengths.has_news() or any(lengths or ())):
            raise Empty  # Redis will tell
        self._fetched = True
        watched, room = self._watched, self.room()
        if room <= 0:
            watched, room = self._urgent, self.urgent_room()
        if room <= 0:
            raise Empty
        allowances = self._allowances()
        watched = watched.allowed(allowances)
        known = self._known(watched, lengths)
        if known is None and allowances:
            raise Empty  # no limit is kept without lengths: they are asked for next
        if not self.fetch_from(watched, room, known, allowances):
            raise Empty
        return True

    def _allowances(self) -> Mapping[str, int]:
        return NO_LIMITS if self.fetch_allowances is None else self.fetch_allowances()

    def _askable(self) -> Watched:
        # Lists that nothing may be fetched from would only wake this consumer again and again.
        watched = self._watched if self.room() > 0 else self._urgent
        return watched.allowed(self._allowances())

    def _known(self, watched: Watched, lengths: Sequence[int] | None) -> Sequence[int] | None:
        """Return the lengths of the watched lists out of those asked for, if all are among them."""
        if lengths is None or self._watched is not self._asked_of:
            return None
        if watched is self._asked:
            return lengths
        found = dict(zip(self._asked.lists, lengths, strict=True))
        return [found[key] for key in watched.lists] if watched.is_within(self._asked) else None
