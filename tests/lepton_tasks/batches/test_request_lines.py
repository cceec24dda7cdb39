"""A line of an uploaded file is a request, blank, or a fault that names its number and field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.batches.request_lines import (
    LineFault,
    RequestLine,
    duplicate,
    empty_file,
    read_line,
    unreadable,
)
from lepton_tasks.bulk.physical import Unreadable

ENDPOINT = "/v1/moderations"


def a_line(**changes: Any) -> bytes:
    line = {"custom_id": "a", "method": "POST", "url": ENDPOINT, "body": {"input": "hi"}}
    return orjson.dumps({name: one for name, one in (line | changes).items() if one != "left out"})


@pytest.mark.parametrize(
    "raw",
    [
        a_line(),
        b"\xef\xbb\xbf" + a_line() + b"\r\n",
        a_line(note="ours to ignore"),
    ],
)
def test_a_request(raw: bytes) -> None:
    assert read_line(1, raw, ENDPOINT) == RequestLine(1, "a", {"input": "hi"})


@pytest.mark.parametrize("raw", [b"\n", b"  \t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_a_blank_line_is_none(raw: bytes) -> None:
    assert read_line(1, raw, ENDPOINT) is None


@pytest.mark.parametrize(
    ("raw", "code", "param"),
    [
        (None, "line_too_long", None),
        (b"{", "invalid_json_line", None),
        ('{"custom_id": "评'.encode()[:-1], "invalid_utf8", None),
        (b"\xef\xbb\xbf" + a_line(), "invalid_json_line", None),
        (b'"a"', "invalid_type", None),
        (b"[]", "invalid_type", None),
        (a_line(custom_id="left out"), "missing_required_parameter", "custom_id"),
        (a_line(custom_id=None), "missing_required_parameter", "custom_id"),
        (a_line(custom_id=7), "invalid_custom_id", "custom_id"),
        (a_line(custom_id=""), "invalid_custom_id", "custom_id"),
        (a_line(custom_id="长" * 513), "invalid_custom_id", "custom_id"),
        (a_line(method="left out"), "missing_required_parameter", "method"),
        (a_line(method="GET"), "invalid_method", "method"),
        (a_line(url="/v1/embeddings"), "invalid_url", "url"),
        (a_line(url=["/v1/moderations"]), "invalid_url", "url"),
        (a_line(body="left out"), "missing_required_parameter", "body"),
        (a_line(body="hi"), "invalid_type", "body"),
    ],
)
def test_a_fault_names_the_line_and_the_field(
    raw: bytes | None, code: str, param: str | None
) -> None:
    fault = read_line(3, raw, ENDPOINT)
    assert isinstance(fault, LineFault)
    assert (fault.code, fault.line, fault.param) == (code, 3, param)


@pytest.mark.parametrize("raw", ["编号,正文\n".encode(), b"[\n", b"{\n"])
def test_a_first_line_that_is_no_json_tells_what_a_line_is(raw: bytes) -> None:
    first, later = read_line(1, raw, ENDPOINT), read_line(2, raw, ENDPOINT)
    assert isinstance(first, LineFault) and isinstance(later, LineFault)
    told = "each line must be a whole object such as "
    assert told in first.message
    assert told not in later.message


@pytest.mark.parametrize(
    ("model", "known"),
    [("tiny", "tiny"), (None, None), (7, None), ("m" * 300, None), ("m\0", None)],
)
def test_the_model_that_a_line_names(model: object, known: str | None) -> None:
    line = read_line(1, a_line(body={"input": "hi", "model": model}), ENDPOINT)
    assert isinstance(line, RequestLine)
    assert line.model == known


def test_the_longest_custom_id() -> None:
    line = read_line(1, a_line(custom_id="长" * 512), ENDPOINT)
    assert isinstance(line, RequestLine)


def test_faults_of_more_than_one_line() -> None:
    assert duplicate(9, 1_000).dump() == {
        "code": "duplicate_custom_id",
        "line": 9,
        "message": "line 1,000 has the same custom_id; give each line its own",
        "param": "custom_id",
    }
    assert unreadable(4, Unreadable("broken_gzip", "the stream ends too early")) == LineFault(
        "broken_gzip", 4, "the stream ends too early"
    )
    assert empty_file().line is None


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_and_never_quoted(raw: bytes) -> None:
    found = read_line(2, b'{"secret-word' + raw, ENDPOINT)
    if isinstance(found, LineFault):
        assert "secret-word" not in found.message


def test_who_left_a_field_out_is_shown_a_whole_line() -> None:
    fault = read_line(3, b'{"custom_id": "a"}', "/v1/moderations")
    assert isinstance(fault, LineFault)
    assert fault.message.startswith("the line has no method; it must be an object such as {")
    assert '"url": "/v1/moderations"' in fault.message
