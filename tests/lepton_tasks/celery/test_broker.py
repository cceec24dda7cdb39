from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from kombu.utils.json import dumps

from lepton_tasks.broker.address import parse_address
from lepton_tasks.celery.broker import broker_settings, redis_url
from lepton_tasks.errors import ConfigError
from lepton_tasks.transport.redis import bulk_url
from tests.support.certificates import Authority
from tests.support.consuming import publish, receiving
from tests.support.sentinel import Sentinel
from tests.support.tls_proxy import TlsProxies, TlsProxy

URLS = [
    "redis://user:p%40ss@h:7/3",
    "rediss://:p@h/1?ssl_cert_reqs=none",
    "redis+socket://:p@/run/redis.sock?virtual_host=2",
    "sentinel://:p@a:1/4;sentinel://b?master_name=m&sentinel_username=u&sentinel_password=q",
    "sentinel://a?master_name=m&ssl_check_hostname=false",
    "sentinels://u:p@a;sentinels://b/2?master_name=m&ssl_cert_reqs=optional",
]


@pytest.mark.parametrize("url", URLS)
def test_settings_lead_back_to_the_address(url: str) -> None:
    app = Celery(set_as_current=False)
    app.conf.update(broker_settings(url))
    assert parse_address(redis_url(app.conf)) == parse_address(url)


def test_a_stock_apps_settings_are_understood() -> None:
    app = Celery(broker="sentinel://:p@a:1;sentinel://:p@b:2", set_as_current=False)
    app.conf.update(
        broker_transport_options={"master_name": "m", "sentinel_kwargs": {"password": "q"}},
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_NONE},
    )
    assert parse_address(redis_url(app.conf)) == parse_address(
        "sentinel://:p@a:1;sentinel://:p@b:2?master_name=m&sentinel_password=q&ssl_cert_reqs=none"
    )


def test_tls_checks_certificates_whatever_kombu_would_do() -> None:
    assert broker_settings("rediss://h")["broker_use_ssl"] == {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_check_hostname": True,
    }
    assert broker_settings("redis://h")["broker_use_ssl"] is False


def test_the_sentinels_password_is_shown_to_nobody() -> None:
    settings = broker_settings("sentinel://:secret@a?master_name=m&sentinel_password=secret")
    options = settings["broker_transport_options"]
    assert options["sentinel_kwargs"]["password"] == "secret"
    assert "secret" not in dumps(options) + repr(options)


def test_options_of_the_caller_are_kept() -> None:
    options = broker_settings("redis://h", visibility_timeout=3)["broker_transport_options"]
    assert options["visibility_timeout"] == 3
    assert options["socket_timeout"] > 0


def test_a_wrong_address_is_refused(tmp_path: Path) -> None:
    for url in ("redis://a;redis://b", f"rediss://h?ssl_ca_certs={tmp_path}/none"):
        with pytest.raises(ConfigError, match="LEPTON_REDIS_URL"):
            broker_settings(url)


SIDES = pytest.mark.parametrize(
    ("sender", "receiver"), [("stock", "bulk"), ("bulk", "stock"), ("bulk", "bulk")]
)


def connection(url: str, side: str) -> Connection:
    """A connection as Celery makes it from the settings."""
    settings: dict[str, Any] = broker_settings(url)
    address = settings["broker_url"]
    return Connection(
        bulk_url(address) if side == "bulk" else address,
        ssl=settings["broker_use_ssl"],
        transport_options=settings["broker_transport_options"],
    )


def passes_messages(url: str, sender: str, receiver: str) -> None:
    """Send messages that fill several TLS records, to a consumer that waits for them."""
    bodies = [(n, "你好 world " * 500) for n in range(60)]
    with connection(url, sender) as sending, connection(url, receiver) as receiving_:
        with receiving(receiving_, "moderation.normal", "moderation.high") as received:
            received.once(timeout=0.05)
            for body in bodies[:5]:
                publish(sending, "moderation.high", body)
                received.until_count(body[0] + 1)
            publish(sending, "moderation.normal", *bodies[5:])
            received.until_count(len(bodies))
        assert [tuple(body) for body in received.bodies] == bodies


@SIDES
def test_messages_over_tls(
    rediss_url: str, tls_proxy: TlsProxy, sender: str, receiver: str
) -> None:
    passes_messages(rediss_url, sender, receiver)
    assert tls_proxy.encrypted >= 3


@pytest.mark.parametrize("side", ["stock", "bulk"])
def test_a_server_that_nobody_vouches_for_gets_no_message(
    rediss_url: str, tmp_path: Path, side: str
) -> None:
    plain, _, _ = rediss_url.partition("?")
    url = f"{plain}?ssl_ca_certs={Authority(tmp_path).ca_file}"
    with connection(url, side) as refused, pytest.raises(Exception, match="CERTIFICATE"):
        refused.channel()


@SIDES
def test_messages_through_sentinel(sentinel: Sentinel, sender: str, receiver: str) -> None:
    passes_messages(sentinel.full_url, sender, receiver)


@SIDES
def test_messages_through_sentinel_all_over_tls(
    tmp_path: Path, authority: Authority, sender: str, receiver: str
) -> None:
    with (
        TlsProxies(authority.server()) as proxies,
        Sentinel(tmp_path, password="p", sentinel_password="q", announce=proxies.port_of) as group,
    ):
        url = group.full_url.replace("sentinel://", "sentinels://")
        passes_messages(f"{url}&ssl_ca_certs={authority.ca_file}", sender, receiver)
        assert all(proxy.encrypted for proxy in proxies.by_target.values())
