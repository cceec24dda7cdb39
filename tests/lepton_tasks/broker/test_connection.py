"""A Redis that cannot carry messages safely is refused with the reason."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import pytest
import redis

from lepton_tasks.broker.connection import check_redis, connect, connect_async
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.embedded.redis_binary import find_redis_server
from lepton_tasks.errors import BrokerUnavailable, ConfigError
from lepton_tasks.launcher.ports import free_port
from tests.support.certificates import Authority
from tests.support.sentinel import Sentinel
from tests.support.tls_proxy import TlsProxies, TlsProxy


def test_a_good_one_passes(redis_url: str) -> None:
    check_redis(connect(redis_url, 5.0))


def test_an_evicting_one_is_refused(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(BrokerUnavailable, match="noeviction"):
                check_redis(client)
        finally:
            client.config_set("maxmemory-policy", "noeviction")


def test_a_replica_is_refused(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.replicaof("127.0.0.1", str(free_port()))
        try:
            with pytest.raises(BrokerUnavailable, match="is a replica"):
                check_redis(client)
        finally:
            client.replicaof("NO", "ONE")


def test_one_that_is_away_is_named() -> None:
    with pytest.raises(BrokerUnavailable, match="LEPTON_REDIS_URL"):
        check_redis(connect(f"redis://127.0.0.1:{free_port()}/0", 0.5))


def test_a_missing_password_is_named(redis_url: str) -> None:
    with pytest.raises(BrokerUnavailable, match="password"):
        check_redis(connect("redis://" + redis_url.partition("@")[2], 5.0))


def test_a_wrong_url_is_named() -> None:
    with pytest.raises(ConfigError, match="LEPTON_REDIS_URL"):
        connect("http://127.0.0.1", 1.0)


def test_over_tls(rediss_url: str, tls_proxy: TlsProxy) -> None:
    with connect(rediss_url, 5.0) as client:
        check_redis(client)
    assert asyncio.run(ping(rediss_url))
    assert tls_proxy.encrypted == 2


@pytest.mark.parametrize("trusted", ["another authority", "the system's authorities"])
def test_a_server_that_nobody_vouches_for_is_refused(
    rediss_url: str, tmp_path: Path, trusted: str
) -> None:
    plain, _, _ = rediss_url.partition("?")
    other = Authority(tmp_path).ca_file
    url = f"{plain}?ssl_ca_certs={other}" if trusted == "another authority" else plain
    with pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        check_redis(connect(url, 5.0))
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(ping(url))
    assert connect(f"{plain}?ssl_cert_reqs=none", 5.0).ping()


def test_the_certificate_must_name_the_host(
    redis_server: EmbeddedRedis, redis_url: str, authority: Authority
) -> None:
    with TlsProxy(redis_server.port, authority.server("192.0.2.1")) as proxy:
        url = rediss(redis_url, proxy, authority)
        with pytest.raises(BrokerUnavailable, match="IP address mismatch"):
            check_redis(connect(url, 5.0))
        check_redis(connect(f"{url}&ssl_check_hostname=false", 5.0))


def test_our_own_certificate_where_redis_asks_for_one(
    redis_server: EmbeddedRedis, redis_url: str, authority: Authority
) -> None:
    certificate, key = authority.issue("client")
    with TlsProxy(redis_server.port, authority.server(client_certificates=True)) as proxy:
        url = rediss(redis_url, proxy, authority)
        with pytest.raises(BrokerUnavailable):
            check_redis(connect(url, 5.0))
        check_redis(connect(f"{url}&ssl_certfile={certificate}&ssl_keyfile={key}", 5.0))


def test_over_a_unix_socket(tmp_path: Path) -> None:
    socket = tmp_path / "redis.sock"
    binary = str(find_redis_server())
    with subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", str(socket), "--save", ""],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            while not socket.exists():
                time.sleep(0.02)
            check_redis(connect(f"redis+socket://{socket}", 5.0))
            assert asyncio.run(ping(f"redis+socket://{socket}?virtual_host=1"))
        finally:
            server.kill()


def test_the_master_is_found_past_a_sentinel_that_is_away(tmp_path: Path) -> None:
    with Sentinel(tmp_path, password="p", sentinel_password="q") as group:
        url = f"sentinel://127.0.0.1:{free_port()};{group.full_url}"
        with connect(url, 5.0) as client:
            check_redis(client)
            assert client.set("key", "value")
        assert asyncio.run(ping(url))
        with group.server(group.master_port) as master:
            assert master.get("key") == b"value"
        watcher = redis.Redis(port=group.ports[0], password="q")
        names = [one["cmd"] for one in watcher.client_list()]
        assert names.count("sentinel") == 0, "connections to the sentinels are left open"
        watcher.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("master_name=lepton-test", "master_name=other"), "knows these masters: lepton-test"),
        (
            ("sentinel_password=q", "sentinel_password=r"),
            "wants a password .sentinel_password.: invalid",
        ),
        (("&sentinel_password=q", ""), "wants a password .sentinel_password."),
        ((":p@", ""), "wants a password"),
    ],
)
def test_what_sentinel_refuses_is_said(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with (
        Sentinel(tmp_path, password="p", sentinel_password="q") as group,
        connect(group.full_url.replace(*change), 5.0) as client,
        pytest.raises(BrokerUnavailable, match=words),
    ):
        check_redis(client)


def test_sentinel_and_redis_over_tls(tmp_path: Path, authority: Authority) -> None:
    with (
        TlsProxies(authority.server()) as proxies,
        Sentinel(tmp_path, password="p", announce=proxies.port_of) as group,
    ):
        master, watcher = (proxies.by_target[port] for port in (group.master_port, group.ports[0]))
        url = f"{group.full_url}&ssl_ca_certs={authority.ca_file}"
        check_redis(connect(url, 5.0))
        assert (master.encrypted, watcher.encrypted) == (1, 0)
        everywhere = url.replace("sentinel://", "sentinels://")
        check_redis(connect(everywhere, 5.0))
        assert asyncio.run(ping(everywhere))
        assert (master.encrypted, watcher.encrypted) == (3, 2)


def rediss(redis_url: str, proxy: TlsProxy, authority: Authority) -> str:
    login = redis_url.partition("://")[2].rpartition("@")[0]
    return f"rediss://{login}@127.0.0.1:{proxy.port}/0?ssl_ca_certs={authority.ca_file}"


async def ping(url: str) -> bool:
    async with connect_async(url, 5.0) as client:
        return bool(await client.ping())
