"""A fetched message, refused where kombu or Celery would fall over its shape."""

from __future__ import annotations

from typing import Any, Final

import orjson
from kombu.transport.virtual import Message as StockMessage
from kombu.utils.json import loads

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

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        """Decode the body; ``payload`` is the parsed message.

        Raises:
            Unreadable: a part is missing, undecodable or of a wrong type.
        """
        try:
            super().__init__(payload, channel=channel, **options)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise Unreadable(f"not a message ({type(error).__name__})") from error
        _check("properties.delivery_info", self.delivery_info, dict)
        _check("headers", self.headers, dict)
        _check("content-type", self.content_type, str, type(None))
        _check("content-encoding", self.content_encoding, str, type(None))
        for name in ("task", "id"):
            _check(f"headers.{name}", self.headers.get(name), str, type(None))


def _check(name: str, value: object, *types: type) -> None:
    if not isinstance(value, types):
        raise Unreadable(f"{name} is of type {type(value).__name__}")
