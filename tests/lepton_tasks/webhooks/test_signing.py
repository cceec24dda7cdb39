from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from openai import OpenAI
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from lepton_tasks.webhooks.events import batch_event, job_event
from lepton_tasks.webhooks.signing import signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROW = {
    "task": "moderation",
    "created_at": 1_780_000_000.25,
    "finished_at": 1_780_000_009.75,
    "metadata": '{"批次":"七"}',
}


def test_the_specifications_own_vector() -> None:
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    headers = signed_headers([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_stock_library_verifies_and_notices_any_change() -> None:
    body = '{"text":"你好"}'.encode()
    headers = signed_headers([SECRET], "evt_1", body, datetime.now(UTC))
    assert Webhook(SECRET).verify(body, headers) == {"text": "你好"}
    later = str(int(headers["webhook-timestamp"]) + 1)
    for tampered_body, change in [
        (b"{}", {}),
        (body, {"webhook-id": "evt_2"}),
        (body, {"webhook-timestamp": later}),
    ]:
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(tampered_body, headers | change)


def test_a_message_of_six_minutes_ago_is_refused() -> None:
    headers = signed_headers([SECRET], "evt_1", b"{}", datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(b"{}", headers)


def test_the_zone_in_which_a_time_is_given_does_not_matter() -> None:
    at = datetime.fromtimestamp(1_780_000_000.9, UTC)
    there = at.astimezone(timezone(timedelta(hours=8)))
    assert signed_headers([SECRET], "e", b"{}", at) == signed_headers([SECRET], "e", b"{}", there)


def test_the_stock_openai_client_unwraps_a_completed_batch() -> None:
    row = ROW | {
        "id": "batch_1",
        "state": "completed",
        "total_items": 3,
        "done_items": 3,
        "failed_items": 1,
    }
    body = batch_event("evt_1", "batch.completed", row)
    headers = signed_headers([SECRET], "evt_1", body, datetime.now(UTC))
    with OpenAI(api_key="unused") as client:
        event = client.webhooks.unwrap(body, headers, secret=SECRET)
    assert event.type == "batch.completed"
    assert (event.id, event.object, event.created_at) == ("evt_1", "event", 1_780_000_009)
    assert event.data.id == "batch_1"


def test_the_stock_openai_client_unwraps_a_job_event_as_well() -> None:
    row = ROW | {"id": "job_1", "state": "succeeded", "result": '{"outputs":[1]}', "error": None}
    body = job_event("evt_2", "job.succeeded", row)
    headers = signed_headers([SECRET], "evt_2", body, datetime.now(UTC))
    with OpenAI(api_key="unused") as client:
        event = client.webhooks.unwrap(body, headers, secret=SECRET)
    assert event.model_dump()["data"]["id"] == "job_1"
