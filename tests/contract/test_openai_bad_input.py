"""Calls that are wrong as HTTP or as JSON: each is a client's error, and the server goes on."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import pytest
import uvicorn

from api.app import create_app
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from tests.support.api import error_of
from tests.support.serving import serving

PATHS = ["/v1/moderations", "/v1/embeddings", "/v1/chat/completions", "/v1/completions"]
BODY = orjson.dumps({"input": ""})


@dataclass(frozen=True)
class Server:
    url: str
    key: str
    store: Store

    def post(self, path: str, body: bytes) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.post(f"{self.url}{path}", content=body, headers=headers, timeout=60)

    def link(self) -> socket.socket:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return socket.create_connection((host, int(port)), timeout=60)

    def head(self, *lines: bytes, path: str = PATHS[0]) -> bytes:
        first = [f"POST {path} HTTP/1.1".encode(), b"host: localhost", b"connection: close"]
        own = [*first, b"authorization: Bearer " + self.key.encode(), *lines]
        return b"\r\n".join([*own, b"", b""])

    def raw(self, *lines: bytes, body: bytes = BODY, path: str = PATHS[0]) -> bytes:
        """What is answered to a request with these header lines, up to the connection's end."""
        with self.link() as link:
            link.sendall(self.head(*lines, path=path) + body)
            return b"".join(iter(lambda: link.recv(65_536), b""))


@pytest.fixture(scope="module")
def server(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server whose worker takes nothing: what is wrong must not come as far."""
    home: Path = tmp_path_factory.mktemp("bad") / "home"
    settings = Settings(home=home, redis_url=redis_server.url, max_request_bytes=1_000_000)
    store = open_store(settings)
    store.leases.register("w1", "w1@test", ["moderation", "embedding", "chat", "generation"], 600)
    with serving(uvicorn.Config(create_app(settings), log_config=None)) as url:
        yield Server(url, store.keys.create("acme", "test"), store)
    store.close()


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_json_object_of_ours_is_a_bad_request(
    server: Server, path: str, subtests: pytest.Subtests
) -> None:
    deep = b"[" * 900 + b"]" * 900
    for body, code in {
        b"": "invalid_json",
        b"\xff\xfe{}": "invalid_json",
        b"\xef\xbb\xbf{}": "invalid_json",
        b"[]": "invalid_type",
        b'"' + b"x" * 999_000 + b'"': "invalid_type",
        b'{"input": "\\ud800"}': "invalid_json",
        b'{"input": "\xed\xa0\x80"}': "invalid_json",
        b'{"input": 1e999}': "invalid_json",
        b'{"input": ' + b"9" * 400 + b"}": "invalid_json",
        b'{"input": NaN}': "invalid_json",
        b'{"input": ' + b"[" * 5_000 + b"]" * 5_000 + b"}": "invalid_json",
        b'{"model": ' + deep + b"}": "invalid_value",
        b'{"model": 18446744073709551616}': "invalid_value",
        b'{"a\\u0000": 1}': "unsupported_parameter",
        b'{"' + b"n" * 100_000 + b'": 1}': "unsupported_parameter",
    }.items():
        with subtests.test(repr(body[:30])):
            error = error_of(server.post(path, body), 400)
            assert error["code"] == code
            assert len(error["message"]) <= 1_000
    assert server.post(path, b" " * 1_000_001).status_code == 413


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/moderations", {"input": "a\0"}, "input"),
        ("/v1/moderations", {"input": ["好", "a\0"]}, "input[1]"),
        ("/v1/moderations", {"input": [[[[]]]]}, "input[0]"),
        ("/v1/moderations", {"input": [{"type": {"a": []}}]}, "input[0].type"),
        ("/v1/embeddings", {"input": "茶", "dimensions": 2**63}, "dimensions"),
        ("/v1/embeddings", {"input": [None]}, "input[0]"),
        ("/v1/completions", {"prompt": "a\0"}, "prompt"),
        ("/v1/completions", {"prompt": "今天", "max_tokens": -(2**63)}, "max_tokens"),
        ("/v1/completions", {"prompt": "今天", "temperature": 1e308}, "temperature"),
        ("/v1/completions", {"prompt": "今天", "seed": 2**64 - 1}, "seed"),
        ("/v1/completions", {"prompt": "今天", "stop": [["a"]]}, "stop[0]"),
        ("/v1/completions", {"prompt": "今天", "metadata": {"a": 1}}, "metadata.a"),
        ("/v1/completions", {"prompt": "今天", "stream_options": {"a": 1}}, "stream_options.a"),
        ("/v1/chat/completions", {"messages": [{"role": [], "content": "a"}]}, "messages[0].role"),
        ("/v1/chat/completions", {"messages": {"0": {}}}, "messages"),
        ("/v1/chat/completions", {"messages": [[]]}, "messages[0]"),
    ],
)
def test_a_value_that_cannot_be_is_named(
    server: Server, path: str, body: dict[str, object], param: str
) -> None:
    assert error_of(server.post(path, orjson.dumps(body)), 400)["param"] == param


def test_a_head_that_is_wrong_is_a_bad_request(server: Server, subtests: pytest.Subtests) -> None:
    size = b"content-length: %d" % len(BODY)
    chunk = b"many\r\n"
    assert server.raw(b"transfer-encoding: chunked", body=chunk).startswith(b"HTTP/1.1 400 ")
    for lines in [
        (b"content-length: -1",),
        (b"content-length: many",),
        (b"content-length: \xb2",),
        (b"content-length: " + b"9" * 5_000,),
        (size, b"content-length: 9"),
        (size, b"idempotency-key: \xff\xfe"),
        (size, b"idempotency-key: " + b"k" * 300),
        (size, b"x-stainless-retry-count: \xb2"),
        (size, b"content-encoding: gzip"),
        (size, b"content-type: multipart/form-data; boundary=x"),
        (size, b"expect: miracles"),
    ]:
        with subtests.test(repr(lines)[:60]):
            assert server.raw(*lines).startswith(b"HTTP/1.1 400 ")
    assert server.raw(b"content-length: 9999999999").startswith(b"HTTP/1.1 413 ")
    assert server.raw(size, path="/v1/moderations%00").startswith(b"HTTP/1.1 400 ")
    assert server.raw(size, path="/v1/moderations/%ff%ed").startswith(b"HTTP/1.1 404 ")


def test_who_hangs_up_before_the_body_ends_is_no_fault(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for lines, body in [
        ((b"content-length: 100",), BODY),
        ((b"transfer-encoding: chunked",), b'5\r\n{"inp'),
        ((b"content-length: 100",), b""),
    ]:
        with server.link() as link:
            link.sendall(server.head(*lines) + body)
            # Whatever is on its way is thrown away, as by a client that has crashed.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert error_of(server.post(PATHS[0], BODY), 400)["param"] == "input"
    assert not server.store.jobs.page("acme")
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
