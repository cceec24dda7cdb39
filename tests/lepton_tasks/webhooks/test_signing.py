from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.webhooks.signing import check_secret, new_secret, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


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


def test_both_secrets_of_a_rotation_verify_with_both_libraries() -> None:
    new = new_secret()
    headers = signed_headers([new, SECRET], "evt_1", b"{}", datetime.now(UTC))
    first, second = headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    assert second.startswith("v1,")
    with OpenAI(api_key="unused") as client:
        for secret in (new, SECRET):
            Webhook(secret).verify(b"{}", headers)
            client.webhooks.verify_signature(b"{}", headers, secret=secret)
        with pytest.raises(InvalidWebhookSignatureError):
            client.webhooks.verify_signature(b"{}", headers, secret=new_secret())


@pytest.mark.parametrize(
    "secret", [None, 7, "", "whsec_", "MTIz" * 8, "whsec_MTIz", "whsec_" + "MTIz" * 22]
)
def test_a_secret_that_cannot_be_used_is_refused(secret: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_secret(secret, "secret")
    assert (caught.value.param, caught.value.code) == ("secret", "invalid_secret")


def test_secrets_of_ours_keep_the_rule_for_those_of_tenants() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(check_secret(secret, "secret") == secret for secret in made)


def test_a_secret_without_padding_is_refused() -> None:
    unpadded = "whsec_" + "MTIz" * 8 + "MQ"
    Webhook(unpadded)  # this library takes it, and the openai package does not
    with pytest.raises(InvalidInput, match="padding"):
        check_secret(unpadded, "secret")
