"""Files over a scripted server, by both clients: sent again, and read over links that break."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.client import NoConnection, UnexpectedAnswer, UnknownObject
from tests.support.job_bodies import FILE
from tests.support.scripted_http import HANG_UP, Say, ScriptedServer, parts


class Pipe(io.RawIOBase):
    """Can be read once, from its beginning to its end."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self._content.readinto(into)


@pytest.mark.parametrize("kind", ["path", "text path", "bytes", "open", "pipe"])
def test_a_file_is_uploaded_whole_however_often_it_is_sent(
    client: Any, server: ScriptedServer, tmp_path: Path, kind: str
) -> None:
    content = "你好\n".encode() * 50_000
    path = tmp_path / "评论.jsonl"
    path.write_bytes(content)
    server.say(HANG_UP, Say(503), Say(200, FILE))
    with path.open("rb") as open_file:
        source = {
            "path": path,
            "text path": str(path),
            "bytes": content,
            "open": open_file,
            "pipe": Pipe(content),
        }[kind]
        file = client.files.upload(source, expires_seconds=3600)
    assert (file.id, file.purpose) == ("file_1", "batch")
    for asked in server.asked:
        sent = parts(asked)
        assert sent["file"][1] == content
        assert sent["purpose"][1] == b"batch"
        assert sent["expires_after[anchor]"][1] == b"created_at"
        assert sent["expires_after[seconds]"][1] == b"3600"
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1


def test_a_file_has_a_name_of_ones_own(client: Any, server: ScriptedServer) -> None:
    server.say(Say(200, FILE), Say(200, FILE))
    client.files.upload(b"x", filename="a.jsonl", purpose="user_data")
    client.files.upload(io.BytesIO(b"x"))
    assert parts(server.asked[0])["file"] == ("a.jsonl", b"x")
    assert parts(server.asked[0])["purpose"][1] == b"user_data"
    assert parts(server.asked[1])["file"] == ("file", b"x")


def test_a_download_goes_on_where_the_link_broke(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    server.say(
        Say(200, body=b"abc", cut=True),
        HANG_UP,
        Say(206, body=b"de", cut=True),
        Say(200, body=b"abcdefg"),  # knows no ranges: from the beginning again
    )
    path = client.files.download("file_1", tmp_path / "out.txt")
    assert path.read_bytes() == b"abcdefg"
    assert [asked.headers.get("range") for asked in server.asked] == [
        None,
        "bytes=3-",
        "bytes=3-",
        "bytes=5-",
    ]


def test_a_link_may_break_behind_the_last_byte(client: Any, server: ScriptedServer) -> None:
    error = {"error": {"code": "invalid_range", "message": "there is nothing"}}
    server.say(Say(200, body=b"abc", cut=True), Say(416, error), Say(416, error))
    assert b"".join(client.files.content("file_1")) == b"abc"
    with pytest.raises(UnexpectedAnswer, match="there is nothing"):
        list(client.files.content("file_1"))


def test_a_download_that_fails_leaves_nothing(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    server.say(Say(200, body=b"abc", cut=True), *[Say(206, cut=True)] * 3)
    with pytest.raises(NoConnection):
        client.files.download("file_1", tmp_path / "out.txt")
    server.say(Say(404, {"error": {"code": "not_found", "message": "no such file"}}))
    with pytest.raises(UnknownObject, match="no such file"):
        list(client.files.content("file_1"))
    assert list(tmp_path.iterdir()) == []


def test_lines_are_read_as_they_come(client: Any, server: ScriptedServer) -> None:
    server.say(Say(200, body='{"a": "你'.encode(), cut=True), Say(206, body='好"}\n\n2'.encode()))
    assert list(client.files.lines("file_1")) == [{"a": "你好"}, 2]


def test_files_are_listed_read_and_deleted(client: Any, server: ScriptedServer) -> None:
    page = {"object": "list", "first_id": "file_1", "last_id": "file_1"}
    server.say(
        Say(200, page | {"data": [FILE], "has_more": True}),
        Say(200, page | {"data": [], "has_more": False}),
        Say(200, FILE),
        Say(200, {"id": "file_1", "object": "file", "deleted": True}),
    )
    assert [file.id for file in client.files.list(purpose="batch")] == ["file_1"]
    assert client.files.get("file_1").filename == "a.jsonl"
    client.files.delete("file_1")
    assert server.asked[1].params == {"limit": "1000", "purpose": "batch", "after": "file_1"}
    assert (server.asked[3].method, server.asked[3].path) == ("DELETE", "/v1/files/file_1")
