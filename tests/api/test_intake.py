"""What HTTP adds to a request: its fields, its times, and webhooks that must lead outside."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from api.intake import check_webhook, read_job_request
from api.schemas import JobCreate
from lepton_tasks.errors import InvalidInput
from lepton_tasks.requests import JobRequest
from lepton_tasks.webhooks.guard import EgressGuard, UnknownHost, parse_networks


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


@pytest.mark.parametrize("value", [0, 1767225600, 1.5, -1, True, {}, [1]])
def test_a_time_that_is_no_text_is_left_to_admission(value: object) -> None:
    assert read_job_request({"task": "moderation", "run_at": value}, None).run_at is value


PRIVATE = [
    "127.0.0.1",
    "10.0.0.7",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104
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
SHORTENED = ["127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0"]
FORMS = ["http://{}", "https://{}:8443/x?y=1", "http://{}/#@example.test"]


def judged(url: str | None, guard: EgressGuard) -> str | None:
    """Code of the refusal of a job's webhook; None where it is taken."""
    try:
        asyncio.run(check_webhook(url, guard))
    except InvalidInput as refusal:
        assert refusal.param == "webhook"
        return refusal.code
    return None


async def no_lookup_of_names(host: str, port: int) -> list[str]:
    return [str(ip_address(host))]


async def no_lookup(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


@pytest.mark.parametrize("host", PRIVATE)
def test_a_webhook_into_this_network_is_refused(host: str) -> None:
    for form in FORMS:
        assert judged(form.format(host), EgressGuard()) == "private_address"


@pytest.mark.parametrize("host", SHORTENED)
def test_an_address_that_not_all_read_alike_is_refused(host: str) -> None:
    for form in FORMS:
        assert judged(form.format(host), EgressGuard(allow_private=True)) == "invalid_url"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://hooks.example.test/done",
        "https://localhost.example.test/",
        "https://mylocalhost/",
        "https://127.0.0.1.example.test/",
        "https://example.test/?to=http://127.0.0.1/",
    ],
)
def test_a_name_behind_https_costs_a_submit_no_lookup(url: str | None) -> None:
    for guard in (
        EgressGuard(resolve=no_lookup),
        EgressGuard(resolve=no_lookup, networks=parse_networks("10.0.0.0/8")),
    ):
        assert judged(url, guard) is None


def test_plain_http_is_for_networks_that_the_operator_allows() -> None:
    names = {"public.test": ["1.1.1.1"], "own.test": ["10.1.2.3"], "both.test": ["10.1.2.3", "::1"]}

    async def look_up(host: str, port: int) -> list[str]:
        if host not in names:
            raise UnknownHost("the host has no address")
        return names[host]

    closed = EgressGuard(resolve=no_lookup)
    assert judged("http://own.test/", closed) == "https_required"
    allowed = EgressGuard(resolve=look_up, networks=parse_networks("10.0.0.0/8"))
    assert judged("http://own.test:8080/收", allowed) is None
    assert judged("http://public.test/", allowed) == "https_required"
    assert judged("http://both.test/", allowed) == "private_address"
    assert judged("http://none.test/", allowed) == "unresolvable_host"
    anything = EgressGuard(resolve=look_up, allow_private=True)
    assert judged("http://both.test/", anything) is None
    assert judged("http://public.test/", anything) == "https_required"


def test_this_machine_by_name_is_its_loopback() -> None:
    guard = EgressGuard(resolve=no_lookup_of_names, networks=parse_networks("127.0.0.0/8"))
    assert judged("http://localhost:8901/done", guard) is None
    assert judged("http://127.0.0.1:8901/done", guard) is None
    assert judged("http://10.0.0.1:8901/done", guard) == "private_address"


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]"])
def test_a_public_address_is_reached_by_https_alone(host: str) -> None:
    for guard in (EgressGuard(), EgressGuard(networks=parse_networks("127.0.0.0/8"))):
        assert judged(f"https://{host}/", guard) is None
        assert judged(f"http://{host}/", guard) == "https_required"
