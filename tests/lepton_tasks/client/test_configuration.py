from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks import AsyncClient, Client
from lepton_tasks.client.configuration import DEFAULT_URL, server_url
from lepton_tasks.errors import ConfigError


def test_the_environment_is_read_when_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEPTON_BASE_URL", "http://far.example.test/v1")
    monkeypatch.setenv("LEPTON_API_KEY", "lpt_environment")
    with Client() as client:
        assert client.configuration.base_url == "http://far.example.test"
        assert client.configuration.api_key == "lpt_environment"
    with Client("http://near.example.test", "lpt_given") as client:
        assert client.configuration.base_url == "http://near.example.test"
        assert client.configuration.api_key == "lpt_given"
    monkeypatch.delenv("LEPTON_BASE_URL")
    assert AsyncClient().configuration.base_url == DEFAULT_URL


def test_the_key_is_shown_nowhere() -> None:
    with Client("http://near.example.test", "lpt_secret") as client:
        assert "lpt_secret" not in f"{client!r} {client.configuration!r}"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"api_key": None}, "LEPTON_API_KEY"),
        ({"api_key": "lpt_ x"}, "api_key"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"base_url": "localhost:8000"}, "base_url"),
        ({"base_url": "http://"}, "base_url"),
        ({"base_url": "http://a:b/"}, "base_url"),
        ({"base_url": "http://a/?b=c"}, "base_url"),
    ],
)
def test_what_cannot_be_right_is_named_at_once(
    fields: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEPTON_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=named):
        Client(**({"base_url": "http://a.test", "api_key": "lpt_x"} | fields))


def test_a_path_before_v1_is_kept() -> None:
    assert server_url("https://a.test/nlp/v1") == "https://a.test/nlp"
