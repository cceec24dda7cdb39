from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from kombu.transport.virtual import Channel

from lepton_tasks.transport.message import Message, Unreadable, decode


class Codecs:
    codecs = Channel.codecs
    decode_body = Channel.decode_body
    no_ack_consumers = None
    max_message_bytes = 1000


def envelope(**changes: Any) -> dict[str, Any]:
    message = {
        "body": base64.b64encode("[[“你好”]]".encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "t", "id": "1"},
        "properties": {
            "delivery_tag": "d",
            "delivery_info": {"exchange": "", "routing_key": "q"},
            "body_encoding": "base64",
        },
    }
    return message | changes


def test_a_good_message_is_read() -> None:
    message = Message(envelope(), channel=Codecs())
    assert message.body.decode() == "[[“你好”]]"
    assert message.delivery_tag == "d"


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": [1]},
        {"headers": "abc"},
        {"headers": {"task": ["unhashable"]}},
        {"headers": {"task": "t", "id": {}}},
        {"content-type": ["application/json"]},
        {"content-encoding": 5},
        {"properties": []},
        {"properties": {"delivery_tag": "d", "delivery_info": [1]}},
        {"properties": {"delivery_tag": "d", "delivery_info": {}, "body_encoding": "rot13"}},
        {"properties": {"delivery_tag": "d", "delivery_info": {}, "body_encoding": 7}},
        {"body": "not base64!"},
    ],
)
def test_a_shape_that_would_kill_a_consumer_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refusal:
        Message(envelope(**changes), channel=Codecs())
    assert "unhashable" not in str(refusal.value)


def test_a_compressed_body_is_unpacked_within_the_bound() -> None:
    packed = {"task": "t", "id": "1", "compression": "gzip"}
    short, long = (base64.b64encode(zlib.compress(bytes(n))).decode() for n in (1000, 1001))
    message = Message(envelope(headers=packed, body=short), channel=Codecs())
    assert message.body == bytes(1000)
    assert message._raw["headers"]["task"] == "t"
    with pytest.raises(Unreadable, match="longer than 1000 bytes"):
        Message(envelope(headers=packed, body=long), channel=Codecs())


@pytest.mark.parametrize(
    "raw", [b"\xff{}", b"{", b"", b'{"__type__": "x", "__value__": 1}', b"[" * 100_000]
)
def test_what_python_cannot_parse_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(raw, "d")


def test_a_message_with_another_tag_than_redis_read_is_unreadable() -> None:
    raw = json.dumps(envelope()).encode()
    assert decode(raw, "d") == envelope()
    with pytest.raises(Unreadable):
        decode(raw, "e")
