"""The receivers of the manual do what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.webhooks.events import event_body, job_data
from lepton_tasks.webhooks.signing import new_secret, signed_headers

MANUAL = Path(__file__).parents[3] / "docs" / "webhooks.md"
JOB = {
    "id": "job_1",
    "task": "moderation",
    "state": "succeeded",
    "created_at": 1.0,
    "finished_at": 2.0,
    "metadata": '{"订单":"一号"}',
    "result": '{"outputs":["好"]}',
    "error": None,
}


def test_both_receivers_take_what_we_send(capsys: pytest.CaptureFixture[str]) -> None:
    manual: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, manual)  # noqa: S102
    secret = new_secret()
    body = event_body("evt_1", "job.succeeded", 1, 2.0, job_data(JOB))
    headers = signed_headers([new_secret(), secret], "evt_1", body, datetime.now(UTC))
    assert [manual["receive"](secret, headers, body) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == "一号 ['好']\n"
    assert manual["receive"](new_secret(), headers, body) == 400
    assert manual["unwrap"](secret, headers, body) == "job.succeeded job_1"
    assert manual["unwrap"](secret, headers, body + b" ") is None
