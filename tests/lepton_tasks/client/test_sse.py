from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.client.sse import Event, EventReader

WHOLE = (
    ": a comment\n\n"
    "data: 今天\ndata:天气\n\n"
    "event: batch\r\nid: 42\r\ndata: {}\r\n\r\n"
    "retry: 10\n\n"
    "data: [DONE]\n\n"
).encode()


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_events_do_not_depend_on_where_the_pieces_end(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    reader = EventReader()
    pieces = [WHOLE[a:b] for a, b in pairwise(places)]
    events = [event for piece in pieces for event in reader.feed(piece)]
    assert events == [
        Event("今天\n天气"),
        Event("{}", "batch", "42"),
        Event("[DONE]", "message", "42"),
    ]


def test_what_has_not_ended_is_no_event() -> None:
    assert list(EventReader().feed(b"data: half\n")) == []
