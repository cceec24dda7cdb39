"""The stock ``openai`` client and files, on a real server; clients that go away half way."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI

from api.app import create_app
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from tests.chaos.disk import MountRefused, small_disk
from tests.support.sending import eventually
from tests.support.serving import serving

LIMIT = 12 << 20


@dataclass(frozen=True)
class Desk:
    """A server of files, its client, and what lies in its folder."""

    client: OpenAI
    url: str
    key: str
    store: Store
    folder: Path

    def kept(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def desk(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("files")
    settings = Settings(home=home, redis_url=redis_server.url[:-1] + "8", file_bytes=LIMIT)
    store = open_store(settings)
    key = store.keys.create("acme", "test")
    with (
        serving(uvicorn.Config(create_app(settings), log_config=None)) as url,
        OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client,
    ):
        yield Desk(client, url, key, store, settings.files)
    store.close()


def test_a_file_goes_up_and_comes_back(desk: Desk, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "评论 1.jsonl").write_bytes(content)
    keep = {"anchor": "created_at", "seconds": 7200}
    file = desk.client.files.create(
        file=tmp_path / "评论 1.jsonl",
        purpose="batch",
        expires_after=keep,  # type: ignore[arg-type]
    )
    assert (file.filename, file.bytes, file.purpose) == ("评论 1.jsonl", len(content), "batch")
    assert file.expires_at is not None
    assert desk.client.files.retrieve(file.id) == file
    assert desk.client.files.wait_for_processing(file.id) == file
    assert desk.client.files.content(file.id).read() == content
    assert [one.id for one in desk.client.files.list(purpose="batch", order="asc")] == [file.id]
    assert desk.client.files.delete(file.id).deleted
    with pytest.raises(NotFoundError):
        desk.client.files.retrieve(file.id)
    assert desk.kept() == []


def test_pages_follow_one_another(desk: Desk) -> None:
    made = [desk.client.files.create(file=b"{}", purpose="user_data").id for _ in range(3)]
    assert [one.id for one in desk.client.files.list(limit=2)] == made[::-1]
    for file_id in made:
        desk.client.files.delete(file_id)


def test_what_is_refused_is_heard_however_large_it_is(desk: Desk) -> None:
    with pytest.raises(BadRequestError) as wrong:
        desk.client.files.create(file=bytes(LIMIT), purpose="nope")  # type: ignore[arg-type]
    assert wrong.value.param == "purpose"
    with pytest.raises(APIStatusError) as large:
        desk.client.files.create(file=bytes(LIMIT + 1), purpose="batch")
    assert (large.value.status_code, large.value.code) == (413, "file_too_large")
    assert desk.kept() == []


@pytest.mark.parametrize("resets", [False, True])
def test_nothing_is_left_of_a_client_that_goes_away(desk: Desk, resets: bool) -> None:
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {desk.key}\r\n"
        "content-type: multipart/form-data; boundary=xx\r\ncontent-length: 9000000\r\n\r\n"
        '--xx\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    host, _, port = desk.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as link:
        link.sendall(head.encode() + bytes(2 << 20))
        eventually(lambda: len(desk.kept()) == 1)
        if resets:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    eventually(lambda: desk.kept() == [])
    assert list(desk.client.files.list()) == []


def test_a_disk_that_fills_up_costs_nothing_but_the_upload(
    redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    try:
        with small_disk(tmp_path / "disk") as disk:
            settings = Settings(
                home=tmp_path / "home",
                files_folder=disk / "files",
                redis_url=redis_server.url[:-1] + "8",
            )
            store = open_store(settings)
            key = store.keys.create("acme", "test")
            with (
                serving(uvicorn.Config(create_app(settings), log_config=None)) as url,
                OpenAI(api_key=key, base_url=f"{url}/v1") as client,
            ):
                with pytest.raises(APIStatusError) as full:
                    client.files.create(file=bytes(20 << 20), purpose="batch")
                assert (full.value.status_code, full.value.code) == (507, "storage_full")
                file = client.files.create(file=bytes(10 << 20), purpose="batch")
                assert len(client.files.content(file.id).read()) == 10 << 20
            assert [path.name for path in (disk / "files" / file.id[-2:]).iterdir()] == [file.id]
            assert list((disk / "files" / "drafts").iterdir()) == []
            store.close()
    except MountRefused:
        return  # tests/lepton_tasks/files/test_storage.py has the same without a mount


def test_a_file_goes_up_in_parts(desk: Desk, tmp_path: Path) -> None:
    content = os.urandom((5 << 20) + 3)
    (tmp_path / "大文件.jsonl").write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    done = desk.client.uploads.upload_file_chunked(
        file=tmp_path / "大文件.jsonl",
        mime_type="application/jsonl",
        purpose="batch",
        part_size=2 << 20,
        md5=md5,
    )
    assert done.status == "completed"
    assert done.file is not None
    assert (done.file.filename, done.file.bytes) == ("大文件.jsonl", len(content))
    assert desk.client.files.content(done.file.id).read() == content
    assert [path.name for path in desk.kept()] == [done.file.id]
    desk.client.files.delete(done.file.id)


def test_an_upload_is_given_up(desk: Desk) -> None:
    upload = desk.client.uploads.create(
        bytes=9, filename="a", mime_type="text/plain", purpose="batch"
    )
    desk.client.uploads.parts.create(upload.id, data=b"123")
    assert desk.client.uploads.cancel(upload.id).status == "cancelled"
    assert desk.kept() == []
