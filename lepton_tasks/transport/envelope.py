"""What a message says about itself, held against what kombu and Celery rely on.

Their consumers raise in the middle of the event loop, and end the worker, where a
field has another type than producers give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_NONE: Final = type(None)
_TEXT: Final = (str, _NONE)
_ENCODINGS: Final = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "latin-1", "iso-8859-1", "binary", "ascii-8bit"}
)
"""Python knows encodings that unpack; those that kombu's serializers write are here."""

_Types = tuple[tuple[str, tuple[type, ...]], ...]

_FIELDS: Final[_Types] = (("content-type", _TEXT), ("content-encoding", _TEXT))
_PROPERTIES: Final[_Types] = (("priority", (int, _NONE)),)
_DELIVERY_INFO: Final[_Types] = (("exchange", _TEXT), ("routing_key", _TEXT))
_TASK_HEADERS: Final[_Types] = (
    ("task", _TEXT),
    ("id", _TEXT),
    ("shadow", _TEXT),
    ("argsrepr", _TEXT),
    ("kwargsrepr", _TEXT),
    ("origin", _TEXT),
    ("group", _TEXT),
    ("root_id", _TEXT),
    ("parent_id", _TEXT),
    ("retries", (int, _NONE)),
    ("timelimit", (list, _NONE)),
    ("stamped_headers", (list, _NONE)),
    ("stamps", (dict, _NONE)),
)
"""Headers of Celery's protocol 2 that Celery uses unseen; any may be missing."""


def fault_in(message: Mapping[str, Any]) -> str | None:
    """Why no consumer may see this message, without quoting it; None where it is well-formed.

    >>> fault_in({"properties": {"delivery_info": {}}, "headers": {"task": "t", "shadow": 5}})
    'headers.shadow is of type int'
    """
    headers, properties = message.get("headers"), message.get("properties")
    if not isinstance(properties, dict):
        return f"properties is of type {_name(properties)}"
    info = properties.get("delivery_info")
    if not isinstance(headers, dict | None):
        return f"headers is of type {_name(headers)}"
    if not isinstance(info, dict):
        return f"properties.delivery_info is of type {_name(info)}"
    fault = (
        _wrong_type("", message, _FIELDS)
        or _wrong_type("properties.", properties, _PROPERTIES)
        or _wrong_type("properties.delivery_info.", info, _DELIVERY_INFO)
    )
    if fault is not None:
        return fault
    encoding = message.get("content-encoding")
    if encoding and encoding not in _ENCODINGS and encoding.lower() not in _ENCODINGS:
        return "content-encoding is unknown"
    return _task_faults(headers) if headers and "task" in headers else None


def _task_faults(headers: Mapping[str, Any]) -> str | None:
    fault = _wrong_type("headers.", headers, _TASK_HEADERS)
    if fault is not None:
        return fault
    task_id = headers.get("id")
    if task_id is not None and not task_id.isprintable():
        return "headers.id has characters that cannot be printed"
    stamps = headers.get("stamped_headers")
    if stamps and not all(isinstance(stamp, str) for stamp in stamps):
        return "headers.stamped_headers holds other things than strings"
    for name in ("eta", "expires"):
        if headers.get(name) is not None and not _is_time(headers[name]):
            return f"headers.{name} is no ISO 8601 time"
    return None


def _wrong_type(where: str, fields: Mapping[str, Any], expected: _Types) -> str | None:
    for name, types in expected:
        if not isinstance(fields.get(name), types):
            return f"{where}{name} is of type {_name(fields[name])}"
    return None


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _name(value: object) -> str:
    return type(value).__name__
