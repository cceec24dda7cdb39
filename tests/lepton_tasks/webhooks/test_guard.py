from __future__ import annotations

import asyncio
import gc
import socket
import threading
from typing import Any

import pytest

from lepton_tasks.webhooks.client import Answer, WebhookClient
from lepton_tasks.webhooks.guard import (
    EgressGuard,
    Resolve,
    UnknownHost,
    is_public,
    parse_networks,
)
from tests.support.receiver import Receiver

PRIVATE = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.1.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00::1"]


def post(url: str, guard: EgressGuard) -> Answer:
    async def run() -> Answer:
        async with WebhookClient(guard, 10.0, 4) as client:
            return await client.post(url, {}, b"{}")

    return asyncio.run(run())


def answering(*addresses: str) -> Resolve:
    """A name server for which every name has these addresses."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses to which this thread has begun to connect; others may have business of theirs."""
    seen: list[str] = []
    connect = socket.socket.connect
    here = threading.get_ident()

    def spy(self: socket.socket, address: Any) -> None:
        if threading.get_ident() == here:
            seen.append(address[0])
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", spy)
    return seen


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_of_this_table_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.0x1",
        "0",
        "0.0.0.0",  # noqa: S104
        "127。0。0。1",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "ⓛocalhost",
        "%31%32%37.0.0.1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[::1%25lo]",
    ],
)
def test_no_spelling_of_loopback_reaches_a_listener(
    receiver: Receiver, connects: list[str], host: str
) -> None:
    answer = post(receiver.url("/hook", host), EgressGuard())
    assert answer.status is None
    assert answer.error in {
        "the host leads to an address that is not public",
        "the host has no address",
        "the URL cannot be used",
    }
    assert connects == []
    assert receiver.connections == 0


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("public", [[], ["1.1.1.1"]], ids=["alone", "among public ones"])
def test_a_name_with_a_private_address_gets_no_connection(
    connects: list[str], public: list[str], address: str
) -> None:
    for found in ([*public, address], [address, *public]):
        answer = post("http://hooks.example.test/", EgressGuard(resolve=answering(*found)))
        assert answer.error == "the host leads to an address that is not public"
    assert connects == []


def test_a_name_that_rebinds_is_looked_up_once_for_each_connection(
    receiver: Receiver, connects: list[str]
) -> None:
    answers = iter([["127.0.0.2"], ["10.0.0.1"], ["127.0.0.2"]])
    lookups: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        lookups.append(host)
        return next(answers)

    # What was checked is what is connected to: no second lookup could say otherwise.
    guard = EgressGuard(networks=parse_networks("127.0.0.2/32"), resolve=rebinding)
    url = receiver.url("/hook", "rebind.example.test")
    errors = [post(url, guard).error for _ in range(3)]
    assert errors[1] == "the host leads to an address that is not public"
    assert lookups == ["rebind.example.test"] * 3
    assert connects == ["127.0.0.2"] * 2


def test_it_connects_to_the_checked_address_and_keeps_the_host(receiver: Receiver) -> None:
    guard = EgressGuard(allow_private=True, resolve=answering("127.0.0.1"))
    url = receiver.url("/hook", "Hooks.example.test")
    assert post(url, guard) == Answer(200, None)
    [request] = receiver.received
    assert request.headers["host"] == f"hooks.example.test:{receiver.port}"


def test_a_network_may_be_allowed_and_no_other(receiver: Receiver) -> None:
    guard = EgressGuard(networks=parse_networks("127.0.0.0/8,fd00::/64"))
    assert post(receiver.url("/hook"), guard).status == 200
    refused = "the host leads to an address that is not public"
    for address in ("10.0.0.1", "::ffff:127.0.0.1", "fd00:0:0:1::1", "169.254.169.254"):
        found = EgressGuard(networks=parse_networks("127.0.0.0/8"), resolve=answering(address))
        assert post("http://a.test/", found).error == refused


def test_plain_http_reaches_allowed_networks_and_no_public_address(
    receiver: Receiver, connects: list[str]
) -> None:
    refused = "plain http does not go to a public address; use https"
    allowed = parse_networks("127.0.0.0/8")
    for found in (["1.1.1.1"], ["127.0.0.1", "1.1.1.1"], ["2606:4700::1111"]):
        for guard in (
            EgressGuard(resolve=answering(*found), networks=allowed),
            EgressGuard(resolve=answering(*found), allow_private=True),
        ):
            assert post(receiver.url("/hook", "hooks.example.test"), guard).error == refused
    for address in ("1.1.1.1", "[2606:4700::1111]"):  # is not looked up
        assert post(f"http://{address}/", EgressGuard(networks=allowed)).error == refused
    assert connects == []
    here = EgressGuard(resolve=answering("127.0.0.1"), networks=allowed)
    assert post(receiver.url("/hook", "hooks.example.test"), here).status == 200


def test_a_redirect_into_the_private_network_is_not_followed(
    receiver: Receiver, connects: list[str]
) -> None:
    guard = EgressGuard(networks=parse_networks("127.0.0.1/32"))
    assert post(receiver.url("/redirect"), guard).status == 308
    assert connects == ["127.0.0.1"]


def test_a_dead_address_is_followed_by_the_next(receiver: Receiver) -> None:
    guard = EgressGuard(
        allow_private=True,
        resolve=answering("127.0.0.2", "::1", "127.0.0.1"),  # only the last one listens
    )
    assert post(receiver.url("/hook"), guard).status == 200


@pytest.mark.parametrize("host", ["no-such-host.invalid", "no-such-host.invalid."])
def test_a_host_that_does_not_resolve(host: str) -> None:
    answer = post(f"http://{host}/", EgressGuard(allow_private=True))
    assert answer == Answer(None, "the host has no address")


def test_lookups_of_one_host_at_a_time_share_an_answer() -> None:
    asked: list[str] = []
    ready = asyncio.Event()

    async def slow(host: str, port: int) -> list[str]:
        asked.append(host)
        await ready.wait()
        return ["1.1.1.1"]

    async def run() -> list[list[str]]:
        guard = EgressGuard(resolve=slow)
        first, *others = [asyncio.create_task(guard.addresses("a.test", 80)) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()  # the others' answer does not depend on who asked first
        await asyncio.sleep(0)
        ready.set()
        found = await asyncio.gather(*others)
        await guard.addresses("a.test", 80)
        return found

    assert asyncio.run(run()) == [["1.1.1.1"]] * 19
    assert asked == ["a.test"] * 2


def test_a_lookup_that_fails_when_nobody_waits_any_more_is_no_fault() -> None:
    faults: list[object] = []

    async def nothing(host: str, port: int) -> list[str]:
        await asyncio.sleep(0)
        raise UnknownHost("the host has no address")

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        asking = asyncio.create_task(EgressGuard(resolve=nothing).addresses("a.test", 80))
        await asyncio.sleep(0)
        asking.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()

    asyncio.run(run())
    assert faults == []


def test_a_lookup_that_fails_fails_for_all_who_wait() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        await asyncio.sleep(0)
        raise UnknownHost("the host has no address")

    async def run() -> list[list[str] | BaseException]:
        guard = EgressGuard(resolve=nothing)
        asking = [guard.addresses("a.test", 80) for _ in range(3)]
        return await asyncio.gather(*asking, return_exceptions=True)

    assert [type(error) for error in asyncio.run(run())] == [UnknownHost] * 3
