"""Server-sent events, as they come in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lepton_tasks.client.whole_lines import WholeLines


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``id`` is empty where it has none."""

    data: str
    name: str = "message"
    id: str = ""


class EventReader:
    r"""Makes events of bytes.

    >>> reader = EventReader()
    >>> list(reader.feed("id: 7\ndata: 你".encode())), list(reader.feed("好\r\n\n".encode()))
    ([], [Event(data='你好', name='message', id='7')])
    """

    def __init__(self) -> None:
        self._lines = WholeLines()
        self._data: list[str] = []
        self._name = ""
        self._id = ""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield the events that are whole with this piece."""
        for line in self._lines.feed(piece):
            if (event := self._line(line.removesuffix(b"\r").decode())) is not None:
                yield event

    def _line(self, line: str) -> Event | None:
        if not line:
            event = Event("\n".join(self._data), self._name or "message", self._id)
            wanted = bool(self._data)
            self._data, self._name = [], ""
            return event if wanted else None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id":
            self._id = value
        return None
