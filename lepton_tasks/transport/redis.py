"""kombu transports with bulk fetch, and the broker URLs that select them.

Wire-compatible with kombu's Redis transport both ways: producers and consumers of
either kind share queues, unacked keys and broadcasts. Use it where messages are
consumed::

    app.conf.broker_read_url = bulk_url("redis://localhost:6379/0")

or, for a single URL, ``broker_transport = "lepton_tasks.transport.redis:Transport"``
(TLS: ``TlsTransport``, Sentinel: ``SentinelTransport``).
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import SentinelChannel as StockSentinelChannel
from kombu.transport.redis import SentinelTransport as StockSentinelTransport
from kombu.transport.redis import Transport as StockTransport

from lepton_tasks.errors import ConfigError
from lepton_tasks.transport.channel import OWN_OPTIONS, Channel
from lepton_tasks.transport.poller import Poller
from lepton_tasks.transport.versions import check_versions

_PREFIX: Final = "lepton-"
_CLASSES: Final = {
    "redis": "lepton_tasks.transport.redis:Transport",
    "rediss": "lepton_tasks.transport.redis:TlsTransport",
    "sentinel": "lepton_tasks.transport.redis:SentinelTransport",
}


def bulk_url(url: str) -> str:
    """Broker URL, or several joined by ``;``, as one that selects our transports.

    Registers the schemes with kombu, whose failover between several URLs goes by
    scheme and would else fall back to its own transport.

    >>> bulk_url("redis://localhost:6379/0")
    'lepton-redis://localhost:6379/0'
    >>> bulk_url("sentinel://a:26379;sentinel://b:26379")
    'lepton-sentinel://a:26379;lepton-sentinel://b:26379'

    Raises:
        ConfigError: a scheme is none of Redis, or kombu is of an untested version.
    """
    check_versions()
    for scheme, path in _CLASSES.items():
        TRANSPORT_ALIASES[_PREFIX + scheme] = path
    urls = url.split(";")
    for one in urls:
        scheme = one.partition("://")[0]
        if scheme.removesuffix("+socket") not in _CLASSES:
            known = ", ".join(f"{known}://" for known in _CLASSES)
            raise ConfigError(f"the broker URL begins with {scheme!r}; it must be one of {known}")
    return ";".join(_PREFIX + one for one in urls)


class SentinelChannel(Channel, StockSentinelChannel):  # type: ignore[misc]
    """A channel to the master that Sentinel names."""

    from_transport_options = (*StockSentinelChannel.from_transport_options, *OWN_OPTIONS)

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        # kombu takes the sentinels from the alternate URLs of its own scheme only.
        client = self.connection.client
        alternates = client.alt
        client.alt = [url.removeprefix(_PREFIX) for url in alternates]
        try:
            return super()._sentinel_managed_pool(asynchronous)
        finally:
            client.alt = alternates


class Transport(StockTransport):  # type: ignore[misc] # kombu has no types
    """One Redis server."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        check_versions()
        super().__init__(client, **kwargs)
        self.cycle = Poller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Consume on an event loop from now on; acknowledgements go out at its ticks."""
        self.cycle.in_event_loop = True
        super().register_with_event_loop(connection, loop)


class TlsTransport(Transport):
    """One Redis server over TLS; its certificate is checked unless the URL says otherwise."""

    def __init__(self, client: Any, **kwargs: Any) -> None:
        if not client.ssl:
            client.ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        super().__init__(client, **kwargs)


class SentinelTransport(Transport, StockSentinelTransport):  # type: ignore[misc]
    """The master that Sentinel names."""

    Channel = SentinelChannel
