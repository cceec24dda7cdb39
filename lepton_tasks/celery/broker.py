"""The address of Redis as Celery's settings, and back: kombu takes parts of it as options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from lepton_tasks.broker.address import Sentinels
from lepton_tasks.broker.connection import checked_address, sentinel_options
from lepton_tasks.broker.tls import PARAMETERS as TLS_PARAMETERS

SOCKET_SECONDS: Final = 5.0
"""Longest wait for a reply or a connection."""


class Unshown(Mapping[str, Any]):
    """Options that Celery sends to nobody who inspects a worker: there is a password in them.

    >>> Unshown({"password": "secret"})
    <options not shown: password>
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)

    def __getitem__(self, name: str) -> Any:
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __repr__(self) -> str:
        return f"<options not shown: {', '.join(self)}>"

    def __json__(self) -> str:  # kombu asks for it
        return repr(self)


def broker_settings(url: str, **transport_options: Any) -> dict[str, Any]:
    """Celery's settings for the Redis at ``url``; they suit stock kombu, our transport and Flower.

    ``transport_options`` are further ones.

    Raises:
        ConfigError: the URL does not parse, or a file it names cannot be used.
    """
    address = checked_address(url)
    options: dict[str, Any] = {
        "socket_connect_timeout": SOCKET_SECONDS,
        "socket_keepalive": True,
        "socket_timeout": SOCKET_SECONDS,
        **transport_options,
    }
    if isinstance(address.place, Sentinels):
        options["master_name"] = address.place.master_name
        options["sentinel_kwargs"] = Unshown(sentinel_options(address.place, SOCKET_SECONDS))
    return {
        "broker_url": address.kombu_url(),
        "broker_transport_options": options,
        # Without these kombu would take rediss:// as leave to check no certificate.
        "broker_use_ssl": False if address.tls is None else address.tls.options(),
    }


def redis_url(conf: Mapping[str, Any]) -> str:
    """The URL of the Redis that an app's settings name, ours or a stock Celery app's."""
    url = str(conf["broker_url"])
    options = conf.get("broker_transport_options") or {}
    parameters: dict[str, Any] = {}
    if "master_name" in options:
        sentinel = options.get("sentinel_kwargs") or {}
        parameters["master_name"] = options["master_name"]
        for name in ("username", "password"):
            if sentinel.get(name):
                parameters[f"sentinel_{name}"] = sentinel[name]
        if sentinel.get("ssl"):
            url = url.replace("sentinel://", "sentinels://")
    ssl_options = conf.get("broker_use_ssl")
    if isinstance(ssl_options, Mapping):
        parameters |= {
            name: getattr(value, "name", value)
            for name, value in ssl_options.items()
            if name in TLS_PARAMETERS
        }
    if not parameters:
        return url
    return url + ("&" if "?" in url.rpartition(";")[2] else "?") + urlencode(parameters)
