"""Where a webhook URL leads: a host to look up, a port, and what to ask there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_PATH_SAFE: Final = "/?:@!$&'()*+,;=%-._~[]{}|\\^`\"<>"
# What an old resolver reads as an IPv4 address: a last label of digits, or of hex after 0x.
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)")


class UnusableUrl(ValueError):
    """A URL to which nothing can be posted."""


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver: ``host`` in ASCII without brackets, ``path`` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs must share to share a connection."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Value of the Host header.

        >>> parse_target("https://[2606:4700::1111]:8443/").authority
        '[2606:4700::1111]:8443'
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """What is posted to, in ASCII, without fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str) -> Target:
    """Take a URL apart; names in other scripts become their ASCII form.

    >>> parse_target("https://Hooks.Example.test/a?b=c#d")
    Target(scheme='https', host='hooks.example.test', port=443, path='/a?b=c')
    >>> parse_target("http://例子.test:8080/回调").host
    'xn--fsqu00a.test'

    An IPv4 address must be written in full, since resolvers disagree on the rest:

    >>> [refused(url) for url in ("http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/")]
    [True, True, True]
    >>> refused("http://127.0.0.1/"), refused("http://4.example.test/")
    (False, False)

    Raises:
        UnusableUrl: it is no absolute http(s) URL, carries credentials, or its host is
            neither a name nor an address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnusableUrl("the URL cannot be used") from error
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise UnusableUrl("the URL cannot be used")
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH_SAFE)
    return Target(
        parts.scheme,
        _ascii_host(parts.hostname),
        _PORTS[parts.scheme] if port is None else port,
        path,
    )


def refused(url: str) -> bool:
    """Whether :func:`parse_target` refuses a URL."""
    try:
        parse_target(url)
    except UnusableUrl:
        return True
    return False


def _ascii_host(host: str) -> str:
    try:
        if ":" in host:
            return str(IPv6Address(host))
        # The codec also maps full-width digits and dots to the plain ones.
        host = host.encode("idna").decode("ascii").lower()
        if _NUMERIC.fullmatch(host.rstrip(".")):
            return str(IPv4Address(host))
    except (UnicodeError, AddressValueError) as error:
        raise UnusableUrl("the URL cannot be used") from error
    return host
