"""A form is the same however it is cut, and what is wrong with it is said before it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from api.errors import ApiError
from api.multipart import OVERHEAD_BYTES, Form, read_form
from lepton_tasks.errors import InvalidInput, LeptonError

KIND = "multipart/form-data; boundary=xx"
CONTENT = b'{"a": "\xe8\x8c\xb6"}\r\n--x\r\n--xy\r\n'


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--xx\r\ncontent-disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xx--\r\n"


PURPOSE = part("purpose", b"batch")
FILE = part("file", CONTENT, "评论.jsonl")


class Kept:
    def __init__(self) -> None:
        self.data = b""

    async def write(self, data: bytes) -> None:
        self.data += data


def read(
    chunks: Sequence[bytes], *, kind: str = KIND, most: int = 1_000, length: int | None = None
) -> tuple[Form, bytes]:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left:
            return {"type": "http.disconnect"}
        chunk = left.pop(0)
        return {
            "type": "http.request",
            "body": chunk,
            "more_body": bool(left) or chunk == b"--more",
        }

    headers = [(b"content-type", kind.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    sink = Kept()

    def check(name: str, value: str) -> None:
        if name == "purpose" and value != "batch":
            raise InvalidInput("no such purpose", "purpose")

    form = asyncio.run(read_form(request, "file", sink, most, "larger than may be", check))
    return form, sink.data


def refused(chunks: Sequence[bytes], **how: Any) -> LeptonError:
    with pytest.raises(LeptonError) as error:
        read(chunks, **how)
    return error.value


def test_a_form_is_the_same_wherever_it_is_cut() -> None:
    whole = body(PURPOSE, FILE, part("more", "茶".encode()))
    for cut in range(1, len(whole)):
        form, content = read([whole[:cut], whole[cut:]])
        assert (form.fields, form.filename) == ({"purpose": "batch", "more": "茶"}, "评论.jsonl")
        assert content == CONTENT


def test_the_file_may_come_first_and_byte_by_byte() -> None:
    whole = body(FILE, PURPOSE)
    form, content = read([whole[at : at + 1] for at in range(len(whole))])
    assert (form.fields, content) == ({"purpose": "batch"}, CONTENT)


@pytest.mark.parametrize(
    ("named", "filename"),
    [
        ('filename="a \\"b\\".txt"', 'a "b".txt'),
        ('filename="a%22b.txt"', 'a"b.txt'),
        ("filename*=utf-8''%E8%8C%B6.txt", "茶.txt"),
        ("filename=plain.txt", "plain.txt"),
        ('filename=""', ""),
    ],
)
def test_names_as_clients_write_them(named: str, filename: str) -> None:
    head = f'--xx\r\nContent-Disposition: form-data; name="file"; {named}\r\n\r\n'
    form, content = read([head.encode() + b"x\r\n--xx--\r\n"])
    assert (form.filename, content) == (filename, b"x")


@pytest.mark.parametrize(
    "named",
    [
        f"filename*0*=x; filename*{'9' * 5_000}*=y",
        "filename*=a\0b''x",
        "filename*=idna''%ff",
        "filename*=punycode''%ff",
        "filename*=undefined''x",
    ],
)
def test_a_name_that_cannot_be_read_is_refused(named: str) -> None:
    head = f'--xx\r\nContent-Disposition: form-data; name="file"; {named}\r\n\r\n'
    error = refused([head.encode() + b"x\r\n--xx--\r\n"])
    assert (type(error), error.code) == (InvalidInput, "invalid_multipart")


def test_a_boundary_that_cannot_be_read_is_refused() -> None:
    kind = f"multipart/form-data; boundary*0*=x; boundary*{'9' * 5_000}*=y"
    assert refused([body(FILE)], kind=kind).code == "invalid_multipart"


def test_a_form_without_the_file_is_read_too() -> None:
    form, content = read([body(PURPOSE)])
    assert (form.filename, content) == (None, b"")


def test_a_wrong_field_is_refused_before_the_rest_is_read() -> None:
    error = refused([part("purpose", b"nope"), b"--more", *[b"x" * 100] * 100])
    assert isinstance(error, InvalidInput)
    assert error.param == "purpose"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "truncated_body"),
        (PURPOSE + FILE, "truncated_body"),
        (body(FILE)[:-20], "truncated_body"),
        (b"no form at all, not even nearly", "invalid_multipart"),
        (body(FILE, part("file", b"y", "b")), "several_files"),
        (body(part("file", b"text")), "no_file"),
        (body(part("other", b"x", "name")), "unknown_field"),
        (body(PURPOSE, PURPOSE), "duplicate_field"),
        (body(*(part(f"f{number}", b"x") for number in range(17))), "duplicate_field"),
        (body(part("purpose", b"x" * 5_000)), "field_too_long"),
        (b"--xx\r\ncontent-disposition: form-data\r\n\r\nx\r\n--xx--\r\n", "invalid_multipart"),
        (b"--xx\r\nname: " + b"x" * 9_000 + b"\r\n\r\nx\r\n--xx--\r\n", "invalid_multipart"),
        (body(PURPOSE) + b"\r\n" * OVERHEAD_BYTES, "invalid_multipart"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(sent: bytes, code: str) -> None:
    error = refused([sent])
    assert isinstance(error, InvalidInput)
    assert error.code == code
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    "kind",
    ["", "application/json", "multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"],
)
def test_another_kind_of_body_is_refused(kind: str) -> None:
    assert refused([body(FILE)], kind=kind).code == "invalid_multipart"


def test_too_large_a_file_is_refused_at_the_first_byte_too_many() -> None:
    assert read([body(FILE)], most=len(CONTENT))[1] == CONTENT
    error = refused([part("file", b"", "a")[:-2], *[b"x" * 100] * 20], most=150)
    assert isinstance(error, ApiError)
    assert (error.status, error.code) == (413, "file_too_large")
    assert str(error) == "larger than may be"


def test_a_length_that_is_too_large_is_refused_unread() -> None:
    error = refused([], most=100, length=100 + OVERHEAD_BYTES + 1)
    assert isinstance(error, ApiError)
    assert error.status == 413


def test_a_client_that_goes_away_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        read([body(FILE)[:100], b"--more"])
