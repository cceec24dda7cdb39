"""From the body of ``POST /v1/jobs`` to a request that admission can judge.

Only what HTTP adds is decided here: which fields there are, ISO 8601 times, and
where a client may aim a webhook. The rest is admission's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from api.schemas import JobCreate
from lepton_tasks.errors import InvalidInput
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.requests import JobRequest
from lepton_tasks.times import parse_time
from lepton_tasks.webhooks.destination import check_target
from lepton_tasks.webhooks.guard import EgressGuard
from lepton_tasks.webhooks.target import UnusableUrl, parse_target


def read_job_request(body: Mapping[str, Any], idempotency_key: str | None) -> JobRequest:
    """Take the fields of a body; null counts as left out.

    >>> read_job_request({"task": "moderation", "input": "你好", "ttl": 5}, None)
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: there is no field ttl; ...

    Raises:
        InvalidInput: a field is unknown, ``task`` is missing, or ``run_at`` is no time.
    """
    refuse_unknown(body, JobCreate.model_fields)
    fields = {name: value for name, value in body.items() if value is not None}
    task = fields.get("task")
    if not isinstance(task, str):
        raise InvalidInput("task must name a task; see GET /v1/tasks", "task", "invalid_type")
    if isinstance(fields.get("run_at"), str):
        fields["run_at"] = parse_time(fields["run_at"], "run_at")
    return JobRequest(**fields, idempotency_key=idempotency_key)


async def check_webhook(url: str | None, guard: EgressGuard) -> None:
    """Judge a job's own webhook, which admission took, as the URL of an endpoint is judged.

    But for one thing: a name behind https is not looked up on the way of every submit. Where
    it leads is found out when the webhook is sent.

    Raises:
        InvalidInput: it leads to a private address or this machine, or goes to a public
            address without TLS.
    """
    if url is None:
        return
    try:
        target = parse_target(url)
    except UnusableUrl as error:
        raise InvalidInput(
            "webhook must be an absolute https URL; an IPv4 address is written in full",
            "webhook",
            "invalid_url",
        ) from error
    known = _known_address(target.host)
    if known is None and target.scheme == "https":
        return
    if known is None and not guard.allows_private:  # wherever it leads, it may not
        raise InvalidInput("webhook must begin with https://", "webhook", "https_required")
    await check_target(replace(target, host=known or target.host), guard, "webhook")


def _known_address(host: str) -> str | None:
    """Address of a host that needs no lookup: it is one, or this machine by name.

    >>> [_known_address(host) for host in ("10.0.0.7", "::1", "localhost.", "a.localhost")]
    ['10.0.0.7', '::1', '127.0.0.1', '127.0.0.1']
    >>> [_known_address(host) for host in ("hooks.example.test", "mylocalhost")]
    [None, None]
    """
    if f".{host.rstrip('.')}".endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ip_address(host))
    except ValueError:
        return None
