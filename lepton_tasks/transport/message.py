"""A fetched message, refused where kombu or Celery would fall over its shape."""

from __future__ import annotations

from typing import Any, Final

import orjson
from kombu.transport.virtual import Message as StockMessage
from kombu.utils.json import loads

from lepton_tasks.transport.envelope import fault_in
from lepton_tasks.transport.unpacking import Unpackable, unpack

_TYPED: Final = b"__type__"
"""Marks a value of a Python type in kombu's JSON, such as a time or bytes."""


class Unreadable(Exception):
    """A message that cannot be delivered; the text says why and quotes nothing of it."""


def decode(raw: bytes, tag: str) -> Any:
    """Parse a message as kombu does; ``tag`` is what Redis read as its delivery tag.

    Raises:
        Unreadable: it is no UTF-8 or no JSON for Python, or has another tag for it.
    """
    try:
        payload = _parse(raw)
        same = payload["properties"]["delivery_tag"] == tag
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Unreadable(f"not JSON ({type(error).__name__})") from error
    if not same:
        raise Unreadable("properties.delivery_tag is ambiguous")
    return payload


def readable(raw: bytes) -> bool:
    """Whether kombu can parse a broadcast, which has no delivery tag of Redis's reading."""
    try:
        loads(raw)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False
    return True


def _parse(raw: bytes) -> Any:
    # kombu's parser takes 40 µs a message and knows more: typed values, numbers of any
    # size, NaN, escaped halves of surrogate pairs. So what orjson refuses is its to judge.
    if _TYPED not in raw:
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
    return loads(raw)


class Message(StockMessage):  # type: ignore[misc] # kombu has no types
    """A kombu message whose envelope has the types that consumers rely on."""

    body: Any

    def __init__(self, payload: Any, channel: Any, **options: Any) -> None:
        """Decode the body; ``payload`` is the parsed message.

        Raises:
            Unreadable: a part is missing, undecodable or of a wrong type, or the body is
                longer than ``channel.max_message_bytes`` once it is unpacked.
        """
        if not isinstance(payload, dict):
            raise Unreadable(f"a message is an object, this is of type {type(payload).__name__}")
        fault = fault_in(payload)
        if fault is not None:
            raise Unreadable(fault)
        headers = payload.get("headers") or {}
        method = headers.get("compression")
        if method:  # kombu would unpack it without a bound
            others = {name: value for name, value in headers.items() if name != "compression"}
            payload = {**payload, "headers": others}
        try:
            super().__init__(payload, channel=channel, **options)
            if method:
                self.body = unpack(self.body or b"", method, channel.max_message_bytes)
        except Unpackable as error:
            raise Unreadable(f"the body is {error}") from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise Unreadable(f"not a message ({type(error).__name__})") from error
