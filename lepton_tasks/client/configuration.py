"""What a client is told when it is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from lepton_tasks import __version__
from lepton_tasks.errors import ConfigError

DEFAULT_URL: Final = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT: Final = 60.0
DEFAULT_RETRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where the server is and how patient the client is. Times are seconds."""

    base_url: str
    api_key: str = field(repr=False)
    timeout: float = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_RETRIES
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        base_url: str | None,
        api_key: str | None,
        timeout: float,
        max_retries: int,
        headers: Mapping[str, str] | None,
    ) -> Self:
        """Take what was given, else ``LEPTON_BASE_URL`` and ``LEPTON_API_KEY``.

        Raises:
            ConfigError: there is no key, or something cannot be right; the message names it.
        """
        key = api_key or os.environ.get("LEPTON_API_KEY")
        if not key:
            raise ConfigError(
                "there is no API key: give api_key= or set LEPTON_API_KEY; "
                "`lepton keys create --tenant NAME` makes one"
            )
        if not key.isascii() or any(ord(character) <= 32 for character in key):
            raise ConfigError("api_key holds blanks or other characters that no key has")
        if timeout <= 0:
            raise ConfigError("timeout must be more than 0 seconds")
        if max_retries < 0:
            raise ConfigError("max_retries must be 0 or more")
        url = base_url or os.environ.get("LEPTON_BASE_URL") or DEFAULT_URL
        return cls(server_url(url), key, timeout, max_retries, dict(headers or {}))

    def all_headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {
            "authorization": f"Bearer {self.api_key}",
            "user-agent": f"lepton-tasks/{__version__}",
            "accept": "application/json",
            **self.headers,
        }


def server_url(url: str) -> str:
    """The server's address, without the ``/v1`` that OpenAI clients want behind it.

    >>> server_url("http://localhost:8000/v1/"), server_url("https://nlp.example.test/lepton")
    ('http://localhost:8000', 'https://nlp.example.test/lepton')

    Raises:
        ConfigError: it is no http(s) URL.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise ConfigError(f"base_url must be an http or https URL of a server, not {url!r}")
    return url.rstrip("/").removesuffix("/v1")
