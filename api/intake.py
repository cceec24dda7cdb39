"""From the body of ``POST /v1/jobs`` to a request that admission can judge.

Only what HTTP adds is decided here: which fields there are, ISO 8601 times, and
that a client cannot aim a webhook at a private address. The rest is admission's.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from api.schemas import JobCreate
from lepton_tasks.errors import InvalidInput
from lepton_tasks.requests import JobRequest


def read_job_request(body: Mapping[str, Any], idempotency_key: str | None) -> JobRequest:
    """Take the fields of a body; null counts as left out.

    >>> read_job_request({"task": "moderation", "input": "你好", "ttl": 5}, None)
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: there is no field ttl; ...

    Raises:
        InvalidInput: a field is unknown, ``task`` is missing, or ``run_at`` is no time.
    """
    for name in body:
        if name not in JobCreate.model_fields:
            known = ", ".join(JobCreate.model_fields)
            raise InvalidInput(
                f"there is no field {name}; the fields are: {known}", name, "unknown_field"
            )
    fields = {name: value for name, value in body.items() if value is not None}
    task = fields.get("task")
    if not isinstance(task, str):
        raise InvalidInput("task must name a task; see GET /v1/tasks", "task", "invalid_type")
    if "run_at" in fields:
        fields["run_at"] = parse_time(fields["run_at"], "run_at")
    return JobRequest(**fields, idempotency_key=idempotency_key)


def parse_time(value: Any, param: str) -> Any:
    """Turn an ISO 8601 time into Unix seconds; anything but a string passes unchanged.

    >>> parse_time("2026-01-01T08:00:00+08:00", "run_at"), parse_time(1767225600, "run_at")
    (1767225600.0, 1767225600)

    Raises:
        InvalidInput: a string that is no time, or has no offset.
    """
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass  # answered below, as for a time without an offset
    raise InvalidInput(
        f"{param} must be Unix seconds or an ISO 8601 time with an offset, "
        "such as 2026-01-31T08:00:00Z",
        param,
        "invalid_time",
    )


def refuse_private_webhook(url: str | None) -> None:
    """Refuse a webhook whose host is literally a private address or this machine.

    A name that leads to one is found out when the webhook is sent.

    >>> refuse_private_webhook("https://hooks.example.test/done")
    >>> refuse_private_webhook("http://127.1:8080/")
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: webhook must not lead to a private or loopback address

    Raises:
        InvalidInput: it does.
    """
    host = (urlsplit(url).hostname or "") if url is not None else ""
    address = _literal_address(host)
    local_name = host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    if local_name or (address is not None and not address.is_global):
        raise InvalidInput(
            "webhook must not lead to a private or loopback address", "webhook", "private_address"
        )


def _literal_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:  # 127.1, 0x7f000001 and 2130706433 are loopback too
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
