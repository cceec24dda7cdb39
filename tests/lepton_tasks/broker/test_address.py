from __future__ import annotations

import ssl
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

from lepton_tasks.broker.address import Host, Login, RedisAddress, Sentinels, parse_address
from lepton_tasks.broker.tls import Tls
from lepton_tasks.errors import ConfigError

SENTINEL = Sentinels((Host("a", 26379),), "m")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", RedisAddress(Host("h", 6379))),
        ("redis://h:7/3", RedisAddress(Host("h", 7), database=3)),
        ("redis://:p%40%3B@h/", RedisAddress(Host("h", 6379), Login(None, "p@;"))),
        ("redis://user:p@[::1]:7/0", RedisAddress(Host("::1", 7), Login("user", "p"))),
        ("rediss://h", RedisAddress(Host("h", 6379), tls=Tls())),
        (
            "rediss://h?ssl_cert_reqs=CERT_NONE",
            RedisAddress(Host("h", 6379), tls=Tls(cert_reqs=ssl.CERT_NONE, check_hostname=False)),
        ),
        ("redis://h?ssl_ca_certs=/ca", RedisAddress(Host("h", 6379), tls=Tls(ca_certs="/ca"))),
        (
            "redis+socket://:p@/run/my%20redis.sock?virtual_host=2",
            RedisAddress("/run/my redis.sock", Login(None, "p"), 2),
        ),
        ("sentinel://a?master_name=m", RedisAddress(SENTINEL)),
        (
            "sentinel://:p@a:1/4;sentinel://:p@b/4?master_name=m&sentinel_password=q",
            RedisAddress(
                Sentinels((Host("a", 1), Host("b", 26379)), "m", Login(None, "q")),
                Login(None, "p"),
                4,
            ),
        ),
        ("sentinel://a;sentinel://b;?master_name=m", None),
        (
            "sentinels://:p@a?master_name=m&ssl_ca_certs=/ca;sentinels://b",
            RedisAddress(
                Sentinels((Host("a", 26379), Host("b", 26379)), "m", tls=Tls(ca_certs="/ca")),
                Login(None, "p"),
                tls=Tls(ca_certs="/ca"),
            ),
        ),
        (
            "sentinel://a?master_name=m&ssl_cert_reqs=required",
            RedisAddress(SENTINEL, tls=Tls()),
        ),
    ],
)
def test_urls(url: str, address: RedisAddress | None) -> None:
    if address is None:
        with pytest.raises(ConfigError):
            parse_address(url)
    else:
        assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "empty"),
        ("localhost:6379", "begins with none of redis://"),
        ("amqp://h", "sentinels://"),
        ("redis://a;redis://b", "no failover"),
        ("sentinel://a;redis://b", "several schemes"),
        ("sentinel://a", "master_name=NAME"),
        ("sentinel://a?master_name=", "master_name=NAME"),
        ("sentinel://a?master=m", "unknown parameter 'master'"),
        ("sentinel://:p@a;sentinel://:secret@b?master_name=m", "differ in their login"),
        ("sentinel://a/1;sentinel://b/2?master_name=m", "differ in their database"),
        ("redis://h?master_name=m", "unknown parameter"),
        ("redis:///0", "a host is missing"),
        ("redis://h/secret", "must be a number"),
        ("redis://h:port", "percent-encode"),
        ("redis://:secret/x@h", "percent-encode"),
        ("redis://:12?secret@h", "percent-encode"),
        ("redis://:12#secret@h", "percent-encode"),
        ("redis://[::1", "percent-encode"),
        ("rediss://h?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
        ("rediss://h?ssl_check_hostname=maybe", "ssl_check_hostname"),
        ("redis+socket://h/path", "redis\\+socket:///PATH"),
        ("redis+socket://", "redis\\+socket:///PATH"),
    ],
)
def test_what_is_wrong_is_said_and_no_password_is(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_address(url)
    assert str(caught.value).startswith("LEPTON_REDIS_URL: ")
    assert "secret" not in str(caught.value)


def test_no_secret_is_printed() -> None:
    address = parse_address("sentinel://u:secret@a?master_name=m&sentinel_password=secret")
    assert "secret" not in f"{address} {address!r}"


passwords = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(user=passwords, password=passwords, database=st.integers(0, 15), sentinels=st.booleans())
def test_kombu_reads_what_we_write(
    user: str, password: str, database: int, sentinels: bool
) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@"
    url = f"redis://{login}h:7/{database}"
    if sentinels:
        url = f"sentinel://{login}h:7/{database};sentinel://i?master_name=m"
    address = parse_address(url)
    with Connection(address.kombu_url()) as connection:
        read = [connection]
        if sentinels:
            other = Connection(connection.alt[1])
            assert other.hostname == "i"
            read.append(other)
        for one in read:
            assert (one.userid or "", one.password or "") == (user, password)
            assert one.virtual_host == str(database)
    if not sentinels:
        assert parse_address(address.kombu_url()) == address
