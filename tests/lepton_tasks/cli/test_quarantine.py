from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import redis

from lepton_tasks.cli.quarantine import app
from lepton_tasks.errors import NotFound
from tests.support.cli import run_command
from tests.support.consuming import bulk, receiving

run = partial(run_command, app)

BODY = '{"text": "不该打印的话 \x1b[2J"'


@pytest.fixture
def message_id(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setenv("LEPTON_REDIS_URL", redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.lpush("moderation.normal", BODY)
    with bulk(redis_url) as connection, receiving(connection, "moderation.normal") as received:
        received.once()
    return run("list").stdout.split("\t")[0]


def test_the_list_says_why_and_not_what(message_id: str) -> None:
    [line] = run("list").stdout.splitlines()
    assert line.split("\t")[2:] == ["moderation.normal", str(len(BODY.encode())), "not JSON"]
    assert "text" not in line


def test_the_content_is_shown_on_request_and_cannot_steer_a_terminal(message_id: str) -> None:
    assert "不该打印的话" not in run("show", message_id).stdout
    shown = run("show", message_id, "--body").stdout
    assert "不该打印的话" in shown
    assert "\x1b" not in shown
    assert "\\x1b" in shown


def test_requeue_puts_it_back(message_id: str, redis_url: str) -> None:
    assert "requeued" in run("requeue", message_id).stderr
    with redis.Redis.from_url(redis_url) as client:
        assert client.lrange("moderation.normal", 0, -1) == [BODY.encode()]
    assert "empty" in run("list").stderr
    with pytest.raises(NotFound):
        run("requeue", message_id)


def test_a_long_list_is_cut_and_says_so(message_id: str, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.lpush("q", "bad", "worse")
    with bulk(redis_url) as connection, receiving(connection, "q") as received:
        received.once()
    result = run("list", "--limit", "2")
    assert len(result.stdout.splitlines()) == 2
    assert "--limit" in result.stderr
