from __future__ import annotations

import asyncio
import socket
import time

import pytest

from lepton_tasks.webhooks.client import MAX_ANSWER_BYTES, Answer, WebhookClient
from lepton_tasks.webhooks.guard import EgressGuard
from tests.support.receiver import Receiver

HEADERS = {"webhook-id": "evt_1"}
BODY = '{"text":"机密"}'.encode()


def post(*urls: str, deadline: float = 10.0) -> list[Answer]:
    """Post to each URL in turn, with one client."""

    async def run() -> list[Answer]:
        async with WebhookClient(EgressGuard(allow_private=True), deadline, 8) as client:
            return [await client.post(url, HEADERS, BODY) for url in urls]

    return asyncio.run(run())


def test_what_arrives(receiver: Receiver) -> None:
    assert post(receiver.url("/hook?a=b#c")) == [Answer(200, None)]
    [request] = receiver.received
    assert (request.path, request.body) == ("/hook?a=b", BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "evt_1"


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success(receiver: Receiver, status: int) -> None:
    assert post(receiver.url(f"/{status}")) == [Answer(status, None)]


@pytest.mark.parametrize("status", [400, 410, 429, 500, 503])
def test_refusal(receiver: Receiver, status: int) -> None:
    assert post(receiver.url(f"/{status}")) == [Answer(status, f"status {status}")]


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    [answer] = post(receiver.url("/redirect"))
    assert answer == Answer(308, "status 308: redirects are not followed")
    assert [request.path for request in receiver.received] == ["/redirect"]


def test_the_environments_proxy_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url("/hook"))[0].status == 200


def test_connections_are_kept_and_cookies_are_not(receiver: Receiver) -> None:
    post(receiver.url("/204"), receiver.url("/204"))
    assert receiver.connections == 1
    assert all("cookie" not in request.headers for request in receiver.received)


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_the_deadline_holds_against_silence_and_drips(receiver: Receiver, path: str) -> None:
    begun = time.monotonic()
    assert post(receiver.url(path), deadline=0.3) == [
        Answer(None, "no complete answer within 0.3 s")
    ]
    assert time.monotonic() - begun < 5


def test_an_endless_body_is_cut(receiver: Receiver) -> None:
    [answer] = post(receiver.url("/endless"))
    assert answer == Answer(200, None)
    assert answer.body == b"x" * MAX_ANSWER_BYTES


def test_a_compressed_answer_is_unpacked_to_the_same_bound(receiver: Receiver) -> None:
    [answer] = post(receiver.url("/bomb"))
    assert answer == Answer(200, None)
    assert answer.body == b"0" * MAX_ANSWER_BYTES


def test_a_short_answer_is_kept_whole(receiver: Receiver) -> None:
    [answer] = post(receiver.url("/hook"))
    assert answer.body == b"ok"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/garbage", "the answer is not HTTP, or ended early"),
        ("/short", "the answer is not HTTP, or ended early"),
        ("/reset", "the connection broke"),
        ("/close", "the connection broke"),
    ],
)
def test_broken_answers(receiver: Receiver, path: str, error: str) -> None:
    assert post(receiver.url(path)) == [Answer(None, error)]


def test_headers_of_others_cannot_split_or_reframe_a_request(receiver: Receiver) -> None:
    async def run() -> list[Answer]:
        async with WebhookClient(EgressGuard(allow_private=True), 10.0, 8) as client:
            harmless = {"Authorization": "Bearer 钥匙", "Content-Type": "text/plain"}
            framing = {"Host": "b.test", "Content-Length": "1", "Transfer-Encoding": "chunked"}
            return [
                await client.post(receiver.url("/hook"), harmless | framing, BODY),
                await client.post(receiver.url("/hook"), {"x": "a\r\nX-Evil: 1"}, BODY),
                await client.post(receiver.url("/hook"), {"x y": "a"}, BODY),
            ]

    unsendable = Answer(None, "the URL or a header cannot be sent")
    assert asyncio.run(run()) == [Answer(200, None), unsendable, unsendable]
    [request] = receiver.received
    assert request.body == BODY
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["authorization"].encode("latin-1") == "Bearer 钥匙".encode()


def test_nobody_listens() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        [answer] = post(f"http://127.0.0.1:{unheard.getsockname()[1]}/")
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("no connection: ")


def test_tls_to_a_receiver_without_it(receiver: Receiver) -> None:
    [answer] = post(receiver.url("/hook").replace("http:", "https:"))
    assert answer.error is not None
    assert answer.error.startswith("no connection: ")
    assert receiver.received == []


@pytest.mark.parametrize(
    "url",
    ["ftp://example.test/", "http://[", "http://127.0.0.1:99999/", "http://a@127.0.0.1/", "x"],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    assert post(url) == [Answer(None, "the URL cannot be used")]


@pytest.mark.parametrize("url", ["http://a..b/", "http://xn--a/", "http://" + "x" * 70 + "/"])
def test_hosts_that_are_no_names(url: str) -> None:
    [answer] = post(url)
    assert answer.error in {"the URL cannot be used", "the host has no address"}


def test_requests_that_ran_out_of_time_leave_no_connection_behind(receiver: Receiver) -> None:
    answers = post(*[receiver.url("/hang")] * 12, receiver.url("/hook"), deadline=0.2)
    assert [answer.status for answer in answers] == [None] * 12 + [200]  # the pool holds eight
