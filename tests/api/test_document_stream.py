"""Lines of a body: the same however it is cut, and none longer than may be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request

from api.document_stream import MOST_LINE_BYTES, _lines, is_stream
from lepton_tasks.errors import InvalidInput


def request_of(chunks: Sequence[bytes], kind: str = "application/x-ndjson") -> Request:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def lines_of(chunks: Sequence[bytes]) -> list[tuple[int, bytes]]:
    async def read() -> list[tuple[int, bytes]]:
        return [one async for one in _lines(request_of(chunks))]

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("kind", "streams"),
    [
        ("application/x-ndjson", True),
        ("Application/JSONL; charset=utf-8", True),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_body_says_that_it_is_lines(kind: str, streams: bool) -> None:
    assert is_stream(request_of([], kind)) is streams


def test_lines_are_the_same_wherever_the_body_is_cut() -> None:
    body = '{"text": "茶"}\n\n{"text": "tea"}'.encode()
    wanted = [(1, '{"text": "茶"}'.encode()), (2, b""), (3, b'{"text": "tea"}')]
    assert lines_of([body]) == wanted
    for cut in range(1, len(body)):
        assert lines_of([body[:cut], body[cut:]]) == wanted


def test_a_line_without_an_end_is_refused_by_its_number() -> None:
    with pytest.raises(InvalidInput, match="line 2 is longer than 1 MiB") as caught:
        lines_of([b"{}\n", *[b"x" * (MOST_LINE_BYTES // 2)] * 3])
    assert (caught.value.param, caught.value.code) == ("line 2", "line_too_long")
