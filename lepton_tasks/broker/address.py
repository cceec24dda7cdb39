"""Where Redis is, in one URL for every part of the system.

======================================================  ==========================================
``redis://[[USER]:PASSWORD@]HOST[:6379][/DB]``          one server
``rediss://…``                                          the same over TLS
``redis+socket://[:PASSWORD@]/PATH[?virtual_host=DB]``  one server, by its Unix socket
``sentinel://…@HOST[:26379][/DB]?master_name=NAME``     the master of that name, whoever it is now
``sentinels://…``                                       the same, Redis and sentinels over TLS
======================================================  ==========================================

Several sentinels are joined by ``;``. User, password, database and parameters belong
to Redis itself and are given once, or alike everywhere; the sentinels' own login is
``sentinel_username`` and ``sentinel_password``. The parameters ``ssl_*`` (see
:mod:`lepton_tasks.broker.tls`) turn TLS to Redis on with any scheme. The forms are
kombu's, with what kombu takes from its transport options as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from lepton_tasks.broker.tls import PARAMETERS as TLS_PARAMETERS
from lepton_tasks.broker.tls import Tls
from lepton_tasks.errors import ConfigError

_SOCKET: Final = "redis+socket"
_SENTINELS: Final = ("sentinel", "sentinels")
_TLS_SCHEMES: Final = ("rediss", "sentinels")
_SCHEMES: Final = ("redis", "rediss", _SOCKET, *_SENTINELS)
_PORTS: Final = {"redis": 6379, "rediss": 6379, "sentinel": 26379, "sentinels": 26379}
_SENTINEL_PARAMETERS: Final = ("master_name", "sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class Host:
    """A name or IP address, and a port."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """User and password; either may be missing."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Who names the master: the sentinels, how to log in to them, and the name to ask for."""

    hosts: tuple[Host, ...]
    master_name: str
    login: Login = Login()
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One Redis database: at a host, at a Unix socket, or wherever the sentinels say."""

    place: Host | str | Sentinels
    login: Login = Login()
    database: int = 0
    tls: Tls | None = None

    def __str__(self) -> str:
        """The place without any secret, for messages."""
        if isinstance(self.place, Sentinels):
            hosts = ", ".join(map(str, self.place.hosts))
            return f"the master {self.place.master_name!r} of the sentinels {hosts}"
        return str(self.place)

    def kombu_url(self) -> str:
        """The URL as kombu takes it, options left out.

        >>> parse_address("sentinels://:p@a;sentinels://b:1/2?master_name=m").kombu_url()
        'sentinel://:p@a:26379/2;sentinel://:p@b:1/2'
        """
        login = _quoted(self.login)
        if isinstance(self.place, str):
            return f"{_SOCKET}://{login}{quote(self.place)}?virtual_host={self.database}"
        if isinstance(self.place, Sentinels):
            hosts = self.place.hosts
            return ";".join(f"sentinel://{login}{host}/{self.database}" for host in hosts)
        return f"{'rediss' if self.tls else 'redis'}://{login}{self.place}/{self.database}"


def parse_address(url: str) -> RedisAddress:
    """Read the URL of a Redis.

    >>> print(parse_address("rediss://user:secret@redis.internal/3"))
    redis.internal:6379
    >>> print(parse_address("sentinel://:secret@a;sentinel://b:26380?master_name=m"))
    the master 'm' of the sentinels a:26379, b:26380

    Raises:
        ConfigError: what is wrong with it, without quoting what may be a password.
    """
    try:
        return _parse(url.strip())
    except ConfigError as error:
        raise ConfigError(f"LEPTON_REDIS_URL: {error}") from error


def _parse(url: str) -> RedisAddress:
    urls = [_split(one) for one in url.split(";") if one]
    if not urls:
        raise ConfigError("it is empty")
    scheme = urls[0].scheme
    if any(other.scheme != scheme for other in urls):
        raise ConfigError("URLs of several schemes are joined; all must have one")
    if len(urls) > 1 and scheme not in _SENTINELS:
        raise ConfigError(
            f"several {scheme}:// URLs are joined, which is no failover: messages would be "
            "spread over servers that know nothing of each other. Name one, or use sentinel://"
        )
    parameters = _agreed("parameter", [dict(_query(one)) for one in urls])
    login = Login(**_agreed("login", [_login(one) for one in urls]))
    tls = None
    if scheme in _TLS_SCHEMES or any(name in TLS_PARAMETERS for name in parameters):
        tls = Tls.parse(parameters)
    if scheme == _SOCKET:
        if tls is not None or not urls[0].path.strip("/") or urls[0].hostname:
            raise ConfigError("it must be redis+socket:///PATH without TLS and without a host")
        database = _database(parameters.get("virtual_host", ""))
        return RedisAddress(unquote(urls[0].path), login, database)
    databases = [{"database": one.path.strip("/")} for one in urls if one.path.strip("/")]
    database = _database(_agreed("database", databases).get("database", ""))
    hosts = tuple(_host(one) for one in urls)
    if scheme not in _SENTINELS:
        return RedisAddress(hosts[0], login, database, tls)
    name = parameters.get("master_name")
    if not name:
        raise ConfigError(
            "with Sentinel it must say whose master to ask for: sentinel://HOST:26379/0?"
            "master_name=NAME, the name after `sentinel monitor` in sentinel.conf"
        )
    own = Login(parameters.get("sentinel_username"), parameters.get("sentinel_password"))
    sentinels = Sentinels(hosts, name, own, tls if scheme in _TLS_SCHEMES else None)
    return RedisAddress(sentinels, login, database, tls)


def _split(url: str) -> SplitResult:
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        known = ", ".join(f"{known}://" for known in _SCHEMES)
        raise ConfigError(f"it begins with none of {known}")
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError as error:
        raise ConfigError(
            "host or port cannot be read; in passwords percent-encode such characters as / ? # @"
        ) from error
    if split.fragment or "@" in split.query:
        raise ConfigError("it has a stray # or @; in passwords percent-encode such characters")
    if scheme != _SOCKET and not split.hostname:
        raise ConfigError("a host is missing")
    return split


def _host(url: SplitResult) -> Host:
    return Host(unquote(url.hostname or ""), url.port or _PORTS[url.scheme])


def _login(url: SplitResult) -> dict[str, str]:
    given = {"username": url.username, "password": url.password}
    return {name: unquote(value) for name, value in given.items() if value}


def _query(url: SplitResult) -> Mapping[str, str]:
    allowed: tuple[str, ...] = TLS_PARAMETERS
    if url.scheme == _SOCKET:
        allowed = ("virtual_host",)
    elif url.scheme in _SENTINELS:
        allowed = (*TLS_PARAMETERS, *_SENTINEL_PARAMETERS)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    for name in query:
        if name not in allowed:
            raise ConfigError(
                f"unknown parameter {name[:40]!r}; {url.scheme}:// takes {', '.join(allowed)}"
            )
    return query


def _agreed(what: str, given: list[dict[str, str]]) -> dict[str, str]:
    agreed: dict[str, str] = {}
    for some in given:
        for name, value in some.items():
            if agreed.setdefault(name, value) != value:
                raise ConfigError(f"the joined URLs differ in their {what}; give it once")
    return agreed


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise ConfigError("the database must be a number: redis://HOST:6379/0")
    return int(text or 0)


def _quoted(login: Login) -> str:
    if login.username is None and login.password is None:
        return ""
    password = "" if login.password is None else f":{quote(login.password, safe='')}"
    return f"{quote(login.username or '', safe='')}{password}@"
