"""Egress guard: a webhook reaches public addresses only, whatever its host name says.

Checking the name or its first lookup is not enough: a name can have many
addresses, and another one a moment later. So every connection resolves the name
once, checks all it got, and connects to a checked address and nothing else.
The URL's host stays in the Host header and in TLS, which the layers above fill in.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpcore

from lepton_tasks.errors import LeptonError

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to all its addresses, as text."""

CONNECT_SECONDS: Final = 5.0
"""Time for one address to accept, so that a dead one leaves time for the next."""

# Beyond what `is_global` refuses, which differs between patch releases of Python.
_V4_REFUSED: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("224.0.0.0/3"),  # multicast and reserved
)
# All that is routed lies in 2000::/3; NAT64, IPv4-mapped, ULA, link-local and the rest do not.
_V6_ROUTED: Final = IPv6Network("2000::/3")
_V6_REFUSED: Final = (
    IPv6Network("2001::/23"),  # Teredo and other protocol assignments
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4, embeds an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)


class ForbiddenAddress(LeptonError):
    """A webhook's host leads to an address that is not public."""

    code = "forbidden_address"


class UnknownHost(LeptonError):
    """A webhook's host has no address."""

    code = "unknown_host"


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    Forms that embed an IPv4 address are refused as a whole.

    >>> [is_public(a) for a in ("1.1.1.1", "2606:4700::1111")]
    [True, True]
    >>> [is_public(a) for a in ("10.0.0.1", "169.254.169.254", "::ffff:1.1.1.1", "fe80::1%eth0")]
    [False, False, False, False]
    """
    parsed: IPv4Address | IPv6Address = ip_address(address)
    if not parsed.is_global or parsed.is_multicast:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _V4_REFUSED)
    return parsed in _V6_ROUTED and not any(parsed in network for network in _V6_REFUSED)


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of ``host``, best first, from the system's resolver.

    Raises:
        UnknownHost: it has none, or is no host name.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost("the host has no address") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only."""

    def __init__(self, allow_private: bool, resolve: Resolve = resolve) -> None:
        """``allow_private`` drops the check: for systems whose receivers are on this machine."""
        self._allow_private = allow_private
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of ``host`` that accepts.

        Raises:
            UnknownHost: it has no address.
            ForbiddenAddress: one of its addresses is not public.
            httpcore.ConnectError, httpcore.ConnectTimeout: none accepts.
        """
        addresses = await self._resolve(host, port)
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise ForbiddenAddress("the host leads to an address that is not public")
        patience = CONNECT_SECONDS if timeout is None else min(timeout, CONNECT_SECONDS)
        failure: Exception = UnknownHost("the host has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, patience, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
