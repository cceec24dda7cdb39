"""What HTTP adds to a request: its fields, its times, and webhooks that must lead outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.intake import parse_time, read_job_request, refuse_private_webhook
from api.schemas import JobCreate
from lepton_tasks.errors import InvalidInput
from lepton_tasks.requests import JobRequest

offsets = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(9998, 1, 1),
    timezones=offsets,
)


def test_fields_pass_as_they_are_and_null_is_left_out() -> None:
    body = {"task": "moderation", "input": "你好", "priority": None, "metadata": {"k": "v"}}
    assert read_job_request(body, "key") == JobRequest(
        task="moderation", input="你好", metadata={"k": "v"}, idempotency_key="key"
    )


def test_every_field_of_the_documentation_is_taken() -> None:
    body: dict[str, Any] = dict.fromkeys(JobCreate.model_fields, "x")
    body["run_at"] = 5
    asked = read_job_request(body, None)
    for name in JobCreate.model_fields:
        assert getattr(asked, name) == body[name]


@pytest.mark.parametrize("name", ["ttl", "Task", "", "idempotency_key", "字段", "tenant"])
def test_an_unknown_field_is_named_whatever_it_holds(name: str) -> None:
    for value in (None, 5):
        with pytest.raises(InvalidInput, match="there is no field") as refusal:
            read_job_request({"task": "moderation", name: value}, None)
        assert (refusal.value.param, refusal.value.code) == (name, "unknown_field")
        assert "ttl_seconds" in str(refusal.value)


@pytest.mark.parametrize("task", [None, 5, ["moderation"], {}, True])
def test_a_task_is_a_name(task: object) -> None:
    for body in ({"task": task}, {}):
        with pytest.raises(InvalidInput, match="GET /v1/tasks") as refusal:
            read_job_request(body, None)
        assert refusal.value.param == "task"


def test_a_time_in_a_body_becomes_seconds() -> None:
    body = {"task": "moderation", "run_at": "2026-01-01T08:00:00+08:00"}
    assert read_job_request(body, None).run_at == 1767225600.0


@settings(max_examples=40)
@given(moments)
def test_a_time_means_the_same_however_it_is_written(moment: datetime) -> None:
    assert parse_time(moment.isoformat(), "run_at") == moment.timestamp()
    in_utc = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert parse_time(in_utc, "run_at") == moment.timestamp()


@given(st.text(max_size=30))
def test_a_text_is_a_time_or_is_refused_and_never_quoted(text: str) -> None:
    try:
        found = parse_time(text, "run_at")
    except InvalidInput as refusal:
        assert (refusal.param, refusal.code) == ("run_at", "invalid_time")
        assert str(refusal).startswith("run_at must be Unix seconds or an ISO 8601 time")
    else:
        assert isinstance(found, float)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "明天",
        "2026-01-01",
        "2026-01-01T08:00:00",
        "2026-02-30T08:00:00Z",
        "2026-01-01T25:00:00Z",
        "1767225600",
        "\ud800",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="with an offset"):
        parse_time(text, "run_at")


@pytest.mark.parametrize("value", [0, 1767225600, 1.5, -1, None, True, {}, [1]])
def test_what_is_no_text_is_left_to_admission(value: object) -> None:
    assert parse_time(value, "run_at") is value


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "10.0.0.7",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104
    "0",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fc00::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a00:1]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "a.localhost",
    "a.b.LocalHost.",
]


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("url", ["http://{}", "https://{}:8443/x?y=1", "http://{}/#@example.test"])
def test_a_webhook_into_this_network_is_refused(host: str, url: str) -> None:
    with pytest.raises(InvalidInput, match="private or loopback") as refusal:
        refuse_private_webhook(url.format(host))
    assert (refusal.value.param, refusal.value.code) == ("webhook", "private_address")


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://hooks.example.test/done",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://[::ffff:8.8.8.8]/",
        "https://localhost.example.test/",
        "https://mylocalhost/",
        "https://127.0.0.1.example.test/",
        "https://example.test/?to=http://127.0.0.1/",
    ],
)
def test_a_webhook_to_the_outside_passes(url: str | None) -> None:
    refuse_private_webhook(url)
