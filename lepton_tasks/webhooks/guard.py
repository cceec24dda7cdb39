"""Egress guard: a webhook reaches public addresses only, whatever its host name says.

Checking the name or its first lookup is not enough: a name can have many
addresses, and another one a moment later. So every connection resolves the name
once, checks all it got, and connects to a checked address and nothing else.
The URL's host stays in the Host header and in TLS.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from lepton_tasks.errors import LeptonError

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to all its addresses, as text."""

Network = IPv4Network | IPv6Network

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


class HttpsRequired(LeptonError):
    """A webhook would go to a public address over plain http."""

    code = "https_required"


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


def parse_networks(listed: str) -> tuple[Network, ...]:
    """Networks of a comma-separated list.

    >>> parse_networks("127.0.0.0/8, ::1/128")
    (IPv4Network('127.0.0.0/8'), IPv6Network('::1/128'))
    >>> parse_networks("")
    ()

    Raises:
        ValueError: one is no network, or has bits set beyond its prefix.
    """
    return tuple(ip_network(one.strip()) for one in listed.split(",") if one.strip())


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


class EgressGuard:
    """Says to which addresses of a host a connection may be made."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        networks: Sequence[Network] = (),
        resolve: Resolve = resolve,
    ) -> None:
        """``networks`` may be reached too; ``allow_private`` drops the check."""
        self._allow_private = allow_private
        self._networks = networks
        self._resolve = resolve
        self._lookups: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    @property
    def allows_private(self) -> bool:
        """Whether any address may be reached that is not public."""
        return self._allow_private or bool(self._networks)

    async def addresses(self, host: str, port: int, *, secure: bool = True) -> list[str]:
        """Addresses of ``host``, all of them checked, best first; at least one.

        ``secure`` says that TLS is spoken with them.

        Raises:
            UnknownHost: it has none.
            ForbiddenAddress: one of them may not be reached.
            HttpsRequired: all may, and one of them not without TLS.
        """
        found = await asyncio.shield(self._lookup(host, port))
        if not found:
            raise UnknownHost("the host has no address")
        for address in found:
            self.check(address)
        for address in found:
            self.check(address, secure=secure)
        return found

    def check(self, address: str, *, secure: bool = True) -> None:
        """Refuse an address that may not be reached.

        Raises:
            ForbiddenAddress: it is not public, and not allowed by name.
            HttpsRequired: it is public, and the connection would not be ``secure``: plain
                http is for private networks that the operator has allowed.
        """
        if not self._may_reach(address):
            raise ForbiddenAddress("the host leads to an address that is not public")
        if not secure and is_public(address):
            raise HttpsRequired("plain http does not go to a public address; use https")

    def _lookup(self, host: str, port: int) -> asyncio.Future[list[str]]:
        """The lookup of a host that is on the way, so that a dead name takes one thread."""
        key = (host, port)

        def ended(task: asyncio.Future[list[str]]) -> None:
            del self._lookups[key]
            if not task.cancelled():
                task.exception()  # whoever asked may have given up, and nobody need hear of it

        if key not in self._lookups:
            self._lookups[key] = asyncio.ensure_future(self._resolve(host, port))
            self._lookups[key].add_done_callback(ended)
        return self._lookups[key]

    def _may_reach(self, address: str) -> bool:
        if self._allow_private or is_public(address):
            return True
        parsed = ip_address(address)
        return any(parsed in network for network in self._networks)
