from __future__ import annotations

import asyncio

import pytest

from lepton_tasks.webhooks.client import Answer, WebhookClient
from lepton_tasks.webhooks.guard import GuardedNetwork, is_public
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


def post(url: str, network: GuardedNetwork) -> Answer:
    async def run() -> Answer:
        async with WebhookClient(network, 10.0, 4) as client:
            return await client.post(url, {}, b"{}")

    return asyncio.run(run())


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
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",  # noqa: S104
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ],
)
def test_no_spelling_of_loopback_reaches_a_listener(receiver: Receiver, host: str) -> None:
    answer = post(receiver.url("/hook", host), GuardedNetwork(allow_private=False))
    assert answer == Answer(None, "the host leads to an address that is not public")
    assert receiver.connections == 0


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_with_one_private_address_among_public_ones_is_refused(address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["1.1.1.1", address]

    answer = post("http://hooks.example.test/", GuardedNetwork(False, resolve))
    assert answer.error == "the host leads to an address that is not public"


def test_each_connection_is_checked_again(receiver: Receiver) -> None:
    lookups: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        lookups.append(host)
        return ["127.0.0.1"]

    network = GuardedNetwork(False, rebinding)
    for _ in range(2):
        assert post(receiver.url("/hook", "rebind.example.test"), network).status is None
    assert lookups == ["rebind.example.test"] * 2
    assert receiver.connections == 0


def test_it_connects_to_the_checked_address_and_keeps_the_host(receiver: Receiver) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        assert host == "hooks.example.test"
        return ["127.0.0.1"]

    url = receiver.url("/hook", "hooks.example.test")
    assert post(url, GuardedNetwork(True, resolve)) == Answer(200, None)
    [request] = receiver.received
    assert request.headers["host"] == f"hooks.example.test:{receiver.port}"


def test_a_dead_address_is_followed_by_the_next(receiver: Receiver) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "::1", "127.0.0.1"]  # only the last one listens

    assert post(receiver.url("/hook"), GuardedNetwork(True, resolve)).status == 200


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70])
def test_a_host_that_does_not_resolve(host: str) -> None:
    answer = post(f"http://{host}/", GuardedNetwork(allow_private=True))
    assert answer == Answer(None, "the host has no address")
