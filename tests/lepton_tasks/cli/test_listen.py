from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "MTIz" * 8


def signed(message_id: str, body: str, secret: str = SECRET, age: float = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body),
    }


class Listening:
    """``lepton webhooks listen`` as a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def post(self, body: str, headers: dict[str, str]) -> int:
        return httpx.post(self.url, content=body.encode(), headers=headers, timeout=30).status_code

    def stop(self, signal_number: int = signal.SIGINT) -> tuple[str, str]:
        self.process.send_signal(signal_number)
        return self.process.communicate(timeout=30)


@contextmanager
def listening(home: Path, *arguments: str) -> Iterator[Listening]:
    command = [sys.executable, "-m", "lepton_tasks", "webhooks", "listen", "--port", "0"]
    environment = {**os.environ, "LEPTON_HOME": str(home)}
    with subprocess.Popen(
        [*command, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), process.communicate()
            yield Listening(process, line.split()[2])
        finally:
            process.kill()


def test_it_prints_what_comes_and_says_what_is_not_verified(tmp_path: Path) -> None:
    body = '{"type":"job.succeeded","data":{"text":"你好"}}'
    with listening(tmp_path, "--secret", SECRET, "--secret", OTHER) as listener:
        assert listener.post(body, signed("evt_1", body)) == 200
        assert listener.post(body, signed("evt_1", body, OTHER)) == 200
        assert listener.post(body + " ", signed("evt_2", body)) == 401
        assert listener.post(body, signed("evt_3", body, age=400)) == 401
        assert listener.post(body, {}) == 401
        assert listener.post(body, {**signed("evt_4", body), "webhook-signature": "x"}) == 401
        assert httpx.get(listener.url).status_code == 405
        assert listener.post("not JSON", signed("evt_5", "not JSON")) == 200
        out, err = listener.stop()
    assert listener.process.returncode == 0
    heads = [line.split("  ")[1:] for line in out.splitlines() if not line.startswith("  ")]
    assert heads == [
        ["job.succeeded", "evt_1", "verified", "→ 200"],
        ["job.succeeded", "evt_1", "verified", "again, 2nd time", "→ 200"],
        ["job.succeeded", "evt_2", "NOT VERIFIED: No matching signature found", "→ 401"],
        ["job.succeeded", "evt_3", "NOT VERIFIED: Message timestamp too old", "→ 401"],
        ["job.succeeded", "no webhook-id", "NOT VERIFIED: Missing required headers", "→ 401"],
        ["job.succeeded", "evt_4", "NOT VERIFIED: The signature headers are malformed", "→ 401"],
        ["-", "evt_5", "verified", "→ 200"],
    ]
    assert '      "text": "你好"' in out
    assert "8 bytes that are no JSON" in out
    assert "stopped; answered 3 × 200, 4 × 401" in err
    assert "Traceback" not in err


def test_without_a_secret_it_takes_that_of_this_machines_tenant(tmp_path: Path) -> None:
    store = open_store(Settings(home=tmp_path))
    secret = store.keys.webhook_secret("default")
    store.close()
    with listening(tmp_path, "--json", "--fail-rate", "1") as listener:
        assert listener.post("{}", signed("evt_1", "{}", secret)) == 500
        assert listener.post("{}", signed("evt_1", "{}", secret)) == 500
        out, err = listener.stop(signal.SIGTERM)
    assert listener.process.returncode == 0
    told = [json.loads(line) for line in out.splitlines()]
    assert [(one["id"], one["times"], one["verified"], one["status"]) for one in told] == [
        ("evt_1", 1, True, 500),
        ("evt_1", 2, True, 500),
    ]
    assert "answered 2 × 500" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--secret", "whsec_"], "--secret is no secret"),
        (["--secret", "whsec_ä"], "--secret is no secret"),
        (["--fail-rate", "2"], "--fail-rate"),
        (["--host", "192.0.2.1"], "choose another --port"),
    ],
)
def test_wrong_options_end_it_with_2_and_a_reason(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lepton_tasks",
            "webhooks",
            "listen",
            "--secret",
            SECRET,
            *arguments,
        ],
        env={**os.environ, "LEPTON_HOME": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_teaches() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lepton_tasks", "webhooks", "listen", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for word in ("--secret", "--fail-rate", "webhook-id", "LEPTON_WEBHOOK_PRIVATE_NETWORKS"):
        assert word in done.stdout
