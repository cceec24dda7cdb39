"""Views of endpoints and deliveries: plain JSON, complete, and a secret only where it is made."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.webhook_schemas import (
    AttemptView,
    DeliveryDetail,
    DeliveryView,
    EndpointChange,
    EndpointCreate,
    EndpointView,
    ReplayAsked,
)
from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.delivery_history import REPLAYABLE, UNDELIVERED, PastAttempt
from lepton_tasks.store.delivery_history import DeliveryView as StoredDelivery
from lepton_tasks.store.endpoints import Endpoint
from lepton_tasks.webhooks.endpoint_rules import changes, new_endpoint
from lepton_tasks.webhooks.events import EVENT_TYPES, ORDINARY_EVENTS
from lepton_tasks.webhooks.health import DisabledReason

BODY = orjson.dumps({"id": "evt_1", "data": {"metadata": {"订单": "七"}}})


def endpoint(**changed: Any) -> Endpoint:
    values: dict[str, Any] = {
        "id": "ep_1",
        "tenant": "acme",
        "url": "https://shop.example.test/钩",
        "name": "结算",
        "description": "",
        "events": None,
        "header_names": ("X-Shop",),
        "rate_limit": None,
        "secret_hint": "whsec_…abcd",
        "rotated_at": None,
        "old_secret_until": None,
        "state": EndpointState.ACTIVE,
        "failing_since": None,
        "disabled_reason": None,
        "created_at": 1.75,
        "updated_at": 2.5,
    }
    return Endpoint(**values | changed)


def delivery(**changed: Any) -> StoredDelivery:
    values: dict[str, Any] = {
        "id": "dlv_1",
        "tenant": "acme",
        "endpoint_id": "ep_1",
        "event_id": "evt_1",
        "sequence": 7,
        "url": "https://shop.example.test/",
        "event_type": "job.succeeded",
        "state": DeliveryState.PENDING,
        "round": 2,
        "attempt": 3,
        "next_at": 9.5,
        "created_at": 1.5,
        "finished_at": None,
    }
    return StoredDelivery(**values | changed)


def test_an_endpoint_is_shown_whole_and_without_its_secret() -> None:
    shown = EndpointView.of(endpoint()).model_dump(mode="json", exclude_unset=True)
    assert shown == {
        "id": "ep_1",
        "object": "webhook_endpoint",
        "url": "https://shop.example.test/钩",
        "name": "结算",
        "description": "",
        "event_types": [*ORDINARY_EVENTS],
        "header_names": ["X-Shop"],
        "rate_limit": None,
        "state": "active",
        "failing_since": None,
        "disabled_reason": None,
        "signing_secret_hint": "whsec_…abcd",
        "rotated_at": None,
        "old_secret_active_until": None,
        "created_at": 1,
        "updated_at": 2,
    }


def test_a_secret_that_was_made_just_now_is_in_the_answer_and_in_no_repr() -> None:
    view = EndpointView.of(endpoint(), "whsec_geheim")
    assert view.model_dump(mode="json", exclude_unset=True)["signing_secret"] == "whsec_geheim"
    assert "geheim" not in repr(view)


@pytest.mark.parametrize("reason", DisabledReason)
def test_why_an_endpoint_is_disabled_is_a_word(reason: DisabledReason) -> None:
    view = EndpointView.of(endpoint(state=EndpointState.DISABLED, disabled_reason=reason))
    shown = view.model_dump(mode="json")
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", reason.value)


@pytest.mark.parametrize("state", DeliveryState)
def test_only_what_is_on_its_way_has_a_next_attempt(state: DeliveryState) -> None:
    shown = DeliveryView.of(delivery(state=state)).model_dump(mode="json")
    on_its_way = state in (DeliveryState.PENDING, DeliveryState.SENDING)
    assert shown["next_attempt_at"] == (9.5 if on_its_way else None)
    assert (shown["state"], shown["round"], shown["attempts_in_round"]) == (state.value, 2, 3)
    assert "acme" not in orjson.dumps(shown).decode()


@given(st.none() | st.binary(max_size=40))
def test_what_a_receiver_says_is_shown_as_text_whatever_it_is(answer: bytes | None) -> None:
    past = PastAttempt(1, 2, 3.0, 0.25, 500, "status 500", answer)
    view = AttemptView.of(past)
    detail = DeliveryDetail.with_attempts(delivery(), BODY, [past, past])
    shown = orjson.loads(detail.model_dump_json())
    assert shown["attempts"] == [orjson.loads(view.model_dump_json())] * 2
    assert shown["event"] == orjson.loads(BODY)
    assert (view.response is None) is (answer is None)
    if answer is not None and answer.isascii():
        assert view.response == answer.decode()


def test_the_fields_that_are_described_are_those_that_are_taken() -> None:
    values: dict[str, Any] = {
        "url": "https://1.1.1.1/",
        "name": "结算",
        "description": "x",
        "event_types": [EVENT_TYPES[0]],
        "headers": {"x": "y"},
        "rate_limit": 5,
    }
    assert EndpointChange.model_fields.keys() == values.keys()
    assert changes(values)
    assert EndpointCreate.model_fields.keys() - values.keys() == {"secret"}
    assert new_endpoint(values | {"secret": None}).name == "结算"
    described = EndpointCreate.model_json_schema()
    assert described["required"] == ["url"]
    assert described["properties"]["event_types"]["items"]["enum"] == [*EVENT_TYPES]


def test_a_replay_is_of_what_was_not_delivered_unless_it_is_named() -> None:
    assert ReplayAsked(since=0).states == [state.value for state in UNDELIVERED]
    ReplayAsked(since="2026-01-01T00:00:00Z", states=["delivered"])
    for state in DeliveryState:
        if state in REPLAYABLE:
            assert ReplayAsked.model_validate({"since": 0, "states": [state.value]})
            continue
        with pytest.raises(ValidationError):
            ReplayAsked.model_validate({"since": 0, "states": [state.value]})
