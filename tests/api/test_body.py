"""A body is bounded before it is read, and judged without being quoted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from api import body
from api.body import SMALL_BYTES, declared_size, read_fields, read_object
from api.errors import ApiError
from lepton_tasks.errors import InvalidInput

LIMIT = 64


def read(chunks: list[bytes], declared: int | None = None) -> tuple[Any, int]:
    """Read a body that comes in ``chunks``; returns it, and how many were taken."""
    taken = 0
    left: Iterator[bytes] = iter(chunks)
    headers = [] if declared is None else [(b"content-length", str(declared).encode())]

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": next(left), "more_body": taken < len(chunks)}

    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    try:
        return asyncio.run(read_object(request, LIMIT)), taken
    except ApiError as error:
        return error, taken


def test_an_object_is_read_from_any_cut() -> None:
    assert read([b'{"text":', '"你好"'.encode(), b"}"])[0] == {"text": "你好"}


def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    error, taken = read([b"x" * 100], declared=LIMIT + 1)
    assert (error.status, taken) == (413, 0)


@pytest.mark.parametrize(
    ("declared", "size"),
    [("12", 12), ("", None), ("-1", None), ("1.5", None), ("\u00b2", None), ("9" * 5_000, None)],
)
def test_a_size_that_is_no_number_says_nothing(declared: str, size: int | None) -> None:
    headers = [(b"content-length", declared.encode("latin-1"))]
    assert declared_size(Request({"type": "http", "headers": headers})) == size


def test_an_endless_body_is_refused_at_the_first_byte_too_many() -> None:
    error, taken = read([b"x" * 40] * 1000)
    assert (error.status, taken) == (413, 2)


def test_a_body_that_stops_coming_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "STALL_SECONDS", 0.01)
    begun = iter([{"type": "http.request", "body": b'{"text"', "more_body": True}])

    async def receive() -> dict[str, Any]:
        for message in begun:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(ApiError, match="send the request again") as caught:
        asyncio.run(read_object(request, LIMIT))
    assert (caught.value.status, caught.value.code) == (408, "request_timeout")
    assert caught.value.headers == {"connection": "close"}


@pytest.mark.parametrize(
    ("sent", "status"), [(b"", 400), (b"{", 400), (b'"\xff"', 400), (b"[1]", 422), (b"null", 422)]
)
def test_what_is_no_object_is_refused(sent: bytes, status: int) -> None:
    assert read([sent])[0].status == status


def test_the_refusal_quotes_nothing() -> None:
    error, _ = read([b'{"text": secret}'])
    assert "secret" not in str(error)


def fields(sent: bytes, known: list[str]) -> dict[str, Any]:
    headers = [(b"content-length", str(len(sent)).encode())]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return asyncio.run(read_fields(request, known))


def test_a_body_that_may_be_left_out_holds_known_fields_alone() -> None:
    assert fields(b"", ["secret"]) == {}
    assert fields(b'{"secret": null}', ["secret"]) == {"secret": None}
    with pytest.raises(InvalidInput, match="the fields are: secret, keep") as refusal:
        fields(b'{"secret": 1, "sekret": 2}', ["secret", "keep"])
    assert refusal.value.param == "sekret"
    with pytest.raises(ApiError) as error:
        fields(b'{"secret": "' + b"x" * SMALL_BYTES + b'"}', ["secret"])
    assert error.value.status == 413
