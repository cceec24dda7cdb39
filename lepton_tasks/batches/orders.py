"""What a batch of an uploaded file is asked to do, checked before anything is stored. Pure.

The fields are OpenAI's, and two of ours: ``priority`` and ``webhook``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from lepton_tasks.errors import InvalidInput
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.files.rules import read_expiry
from lepton_tasks.queues import Priority, parse_priority
from lepton_tasks.requests import (
    MAX_KEY_LENGTH,
    check_key,
    check_metadata,
    check_webhook_url,
    is_storable,
)

ENDPOINT_TASKS: Final[Mapping[str, str]] = {
    "/v1/moderations": "moderation",
    "/v1/embeddings": "embedding",
    "/v1/chat/completions": "chat",
    "/v1/completions": "generation",
    "/v1/jobs": "",
}
"""Endpoints that a batch may ask, and the task of each; empty where every line names its own."""
FIELDS: Final = (
    "input_file_id",
    "endpoint",
    "completion_window",
    "metadata",
    "output_expires_after",
    "priority",
    "webhook",
)
DEFAULT_WINDOW: Final = "24h"
MAX_WINDOW: Final = 30 * 86_400

_WINDOW: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """A batch as its tenant ordered it. ``window`` is its deadline as it was written.

    ``output_seconds`` is how long the files that it makes are kept, None for as long as any.
    """

    input_file_id: str
    endpoint: str
    window: str
    priority: Priority
    webhook: str | None
    metadata: Mapping[str, str]
    output_seconds: float | None
    idempotency_key: str | None

    @property
    def task(self) -> str:
        """Task of its lines; empty where each names its own."""
        return ENDPOINT_TASKS[self.endpoint]

    @property
    def seconds(self) -> int:
        """Its deadline in seconds from its creation."""
        return parse_window(self.window)

    def body_hash(self) -> str:
        """Hash of what was ordered, to tell a repeated order from another with its key."""
        fields = asdict(self)
        del fields["idempotency_key"]
        return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_order(body: Mapping[str, Any], idempotency_key: str | None) -> BatchOrder:
    """Take the fields of a body; null counts as left out.

    >>> order = read_order({"input_file_id": "file_1", "endpoint": "/v1/moderations"}, None)
    >>> order.window, order.priority, order.task
    ('24h', <Priority.BULK: 'bulk'>, 'moderation')
    >>> read_order({"input_file_id": "file_1", "endpoint": "/v1/images"}, None)
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: endpoint must be one of /v1/moderations, ...

    Raises:
        InvalidInput: a field is unknown, missing or wrong; ``param`` names it.
    """
    refuse_unknown(body, FIELDS)
    fields = {name: value for name, value in body.items() if value is not None}
    file_id = _required(fields, "input_file_id", "the id of a file with the purpose batch")
    endpoint = _required(fields, "endpoint", f"one of {', '.join(ENDPOINT_TASKS)}")
    if endpoint not in ENDPOINT_TASKS:
        raise InvalidInput(
            f"endpoint must be one of {', '.join(ENDPOINT_TASKS)}", "endpoint", "invalid_endpoint"
        )
    window = fields.get("completion_window", DEFAULT_WINDOW)
    parse_window(window)
    if idempotency_key is not None:
        check_key(idempotency_key)
    return BatchOrder(
        input_file_id=file_id,
        endpoint=endpoint,
        window=window,
        priority=parse_priority(fields.get("priority", Priority.BULK)),
        webhook=check_webhook_url(fields.get("webhook")),
        metadata=check_metadata(fields.get("metadata")),
        output_seconds=read_expiry(fields.get("output_expires_after"), "output_expires_after"),
        idempotency_key=idempotency_key,
    )


def parse_window(window: object) -> int:
    """Seconds of a completion window: a number of minutes, hours or days, up to 30 days.

    >>> parse_window("24h"), parse_window("1m"), parse_window("30d")
    (86400, 60, 2592000)

    Raises:
        InvalidInput: it is none.
    """
    found = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= MAX_WINDOW:
        raise InvalidInput(
            "completion_window must be a number of minutes, hours or days of up to 30 days, "
            "such as 30m, 24h or 7d",
            "completion_window",
            "invalid_value",
        )
    return seconds


def _required(fields: Mapping[str, Any], name: str, what: str) -> str:
    value = fields.get(name)
    if value is None:
        raise InvalidInput(f"{name} is missing: {what}", name, "missing_required_parameter")
    if not isinstance(value, str) or len(value) > MAX_KEY_LENGTH or not is_storable(value):
        raise InvalidInput(f"{name} must be a string: {what}", name, "invalid_type")
    return value
